/* Virtual CPUs: traps, contexts, callbacks, timers, scheduling, errors. */
#include "golden.h"

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/callback.h>
#include <xen/vcpu.h>
#include <xen/sched.h>
#include <xen/nmi.h>
#include <xen/pmu.h>

static void hypercall_number(void)
{
    GROUP(HypercallNumber);
    VALUE(SetTrapTable, __HYPERVISOR_set_trap_table);
    VALUE(MmuUpdate, __HYPERVISOR_mmu_update);
    VALUE(SetGdt, __HYPERVISOR_set_gdt);
    VALUE(StackSwitch, __HYPERVISOR_stack_switch);
    VALUE(SetCallbacks, __HYPERVISOR_set_callbacks);
    VALUE(FpuTaskswitch, __HYPERVISOR_fpu_taskswitch);
    VALUE(SchedOpCompat, __HYPERVISOR_sched_op_compat);
    VALUE(PlatformOp, __HYPERVISOR_platform_op);
    VALUE(SetDebugreg, __HYPERVISOR_set_debugreg);
    VALUE(GetDebugreg, __HYPERVISOR_get_debugreg);
    VALUE(UpdateDescriptor, __HYPERVISOR_update_descriptor);
    VALUE(MemoryOp, __HYPERVISOR_memory_op);
    VALUE(Multicall, __HYPERVISOR_multicall);
    VALUE(UpdateVaMapping, __HYPERVISOR_update_va_mapping);
    VALUE(SetTimerOp, __HYPERVISOR_set_timer_op);
    VALUE(EventChannelOpCompat, __HYPERVISOR_event_channel_op_compat);
    VALUE(XenVersion, __HYPERVISOR_xen_version);
    VALUE(ConsoleIo, __HYPERVISOR_console_io);
    VALUE(PhysdevOpCompat, __HYPERVISOR_physdev_op_compat);
    VALUE(GrantTableOp, __HYPERVISOR_grant_table_op);
    VALUE(VmAssist, __HYPERVISOR_vm_assist);
    VALUE(UpdateVaMappingOtherdomain, __HYPERVISOR_update_va_mapping_otherdomain);
    VALUE(Iret, __HYPERVISOR_iret);
    VALUE(VcpuOp, __HYPERVISOR_vcpu_op);
    VALUE(SetSegmentBase, __HYPERVISOR_set_segment_base);
    VALUE(MmuextOp, __HYPERVISOR_mmuext_op);
    VALUE(XsmOp, __HYPERVISOR_xsm_op);
    VALUE(NmiOp, __HYPERVISOR_nmi_op);
    VALUE(SchedOp, __HYPERVISOR_sched_op);
    VALUE(CallbackOp, __HYPERVISOR_callback_op);
    VALUE(XenoprofOp, __HYPERVISOR_xenoprof_op);
    VALUE(EventChannelOp, __HYPERVISOR_event_channel_op);
    VALUE(PhysdevOp, __HYPERVISOR_physdev_op);
    VALUE(HvmOp, __HYPERVISOR_hvm_op);
    VALUE(Sysctl, __HYPERVISOR_sysctl);
    VALUE(Domctl, __HYPERVISOR_domctl);
    VALUE(KexecOp, __HYPERVISOR_kexec_op);
    VALUE(TmemOp, __HYPERVISOR_tmem_op);
    VALUE(ArgoOp, __HYPERVISOR_argo_op);
    VALUE(XenpmuOp, __HYPERVISOR_xenpmu_op);
    VALUE(DmOp, __HYPERVISOR_dm_op);
    VALUE(HypfsOp, __HYPERVISOR_hypfs_op);
    VALUE(Arch0, __HYPERVISOR_arch_0);
    VALUE(Arch1, __HYPERVISOR_arch_1);
    VALUE(Arch2, __HYPERVISOR_arch_2);
    VALUE(Arch3, __HYPERVISOR_arch_3);
    VALUE(Arch4, __HYPERVISOR_arch_4);
    VALUE(Arch5, __HYPERVISOR_arch_5);
    VALUE(Arch6, __HYPERVISOR_arch_6);
    VALUE(Arch7, __HYPERVISOR_arch_7);
    END;
}

static void xen_errno(void)
{
    GROUP(XenErrno);
    VALUE(EPERM, XEN_EPERM);
    VALUE(ENOENT, XEN_ENOENT);
    VALUE(ESRCH, XEN_ESRCH);
    VALUE(EIO, XEN_EIO);
    VALUE(ENXIO, XEN_ENXIO);
    VALUE(E2BIG, XEN_E2BIG);
    VALUE(ENOEXEC, XEN_ENOEXEC);
    VALUE(EBADF, XEN_EBADF);
    VALUE(ECHILD, XEN_ECHILD);
    VALUE(EAGAIN, XEN_EAGAIN);
    VALUE(ENOMEM, XEN_ENOMEM);
    VALUE(EACCES, XEN_EACCES);
    VALUE(EFAULT, XEN_EFAULT);
    VALUE(EBUSY, XEN_EBUSY);
    VALUE(EEXIST, XEN_EEXIST);
    VALUE(EXDEV, XEN_EXDEV);
    VALUE(ENODEV, XEN_ENODEV);
    VALUE(ENOTDIR, XEN_ENOTDIR);
    VALUE(EISDIR, XEN_EISDIR);
    VALUE(EINVAL, XEN_EINVAL);
    VALUE(ENFILE, XEN_ENFILE);
    VALUE(EMFILE, XEN_EMFILE);
    VALUE(ENOSPC, XEN_ENOSPC);
    VALUE(EROFS, XEN_EROFS);
    VALUE(EMLINK, XEN_EMLINK);
    VALUE(EDOM, XEN_EDOM);
    VALUE(ERANGE, XEN_ERANGE);
    VALUE(EDEADLK, XEN_EDEADLK);
    VALUE(ENAMETOOLONG, XEN_ENAMETOOLONG);
    VALUE(ENOLCK, XEN_ENOLCK);
    VALUE(ENOSYS, XEN_ENOSYS);
    VALUE(ENOTEMPTY, XEN_ENOTEMPTY);
    VALUE(ENODATA, XEN_ENODATA);
    VALUE(ETIME, XEN_ETIME);
    VALUE(EBADMSG, XEN_EBADMSG);
    VALUE(EOVERFLOW, XEN_EOVERFLOW);
    VALUE(EILSEQ, XEN_EILSEQ);
    VALUE(ENOTSOCK, XEN_ENOTSOCK);
    VALUE(EMSGSIZE, XEN_EMSGSIZE);
    VALUE(EOPNOTSUPP, XEN_EOPNOTSUPP);
    VALUE(EADDRINUSE, XEN_EADDRINUSE);
    VALUE(EADDRNOTAVAIL, XEN_EADDRNOTAVAIL);
    VALUE(ENOBUFS, XEN_ENOBUFS);
    VALUE(EISCONN, XEN_EISCONN);
    VALUE(ENOTCONN, XEN_ENOTCONN);
    VALUE(ETIMEDOUT, XEN_ETIMEDOUT);
    VALUE(ECONNREFUSED, XEN_ECONNREFUSED);
    END;
}

static void multicall(void)
{
    STRUCT(MulticallEntry, struct multicall_entry);
    FIELD(Op, op);
    FIELD(Result, result);
    FIELD(Args, args);
    END;
}

static void trap_info(void)
{
    STRUCT(TrapInfo, struct trap_info);
    FIELD(Vector, vector);
    FIELD(Flags, flags);
    FIELD(Cs, cs);
    FIELD(Address, address);
    VALUE(DplMask, TI_GET_DPL(&(struct trap_info){ .flags = 0xff }));
    VALUE(MaskEventsFlag, TI_GET_IF(&(struct trap_info){ .flags = 0xff }));
    END;
}

static void vcpu_guest_context(void)
{
    STRUCT(CpuUserRegs, struct cpu_user_regs);
    FIELD(R15, r15);
    FIELD(R14, r14);
    FIELD(R13, r13);
    FIELD(R12, r12);
    FIELD(Rbp, rbp);
    FIELD(Rbx, rbx);
    FIELD(R11, r11);
    FIELD(R10, r10);
    FIELD(R9, r9);
    FIELD(R8, r8);
    FIELD(Rax, rax);
    FIELD(Rcx, rcx);
    FIELD(Rdx, rdx);
    FIELD(Rsi, rsi);
    FIELD(Rdi, rdi);
    FIELD(ErrorCode, error_code);
    FIELD(EntryVector, entry_vector);
    FIELD(Rip, rip);
    FIELD(Cs, cs);
    FIELD(Pad0, _pad0);
    FIELD(SavedUpcallMask, saved_upcall_mask);
    FIELD(Pad1a, _pad1[0]);
    FIELD_OF_SIZE(Pad1b, _pad1[1], 2);
    FIELD(Rflags, rflags);
    FIELD(Rsp, rsp);
    FIELD(Ss, ss);
    FIELD(Pad2a, _pad2[0]);
    FIELD_OF_SIZE(Pad2b, _pad2[1], 4);
    FIELD(Es, es);
    FIELD(Pad3a, _pad3[0]);
    FIELD_OF_SIZE(Pad3b, _pad3[1], 4);
    FIELD(Ds, ds);
    FIELD(Pad4a, _pad4[0]);
    FIELD_OF_SIZE(Pad4b, _pad4[1], 4);
    FIELD(Fs, fs);
    FIELD(Pad5a, _pad5[0]);
    FIELD_OF_SIZE(Pad5b, _pad5[1], 4);
    FIELD(Gs, gs);
    FIELD(Pad6a, _pad6[0]);
    FIELD_OF_SIZE(Pad6b, _pad6[1], 4);
    END;

    STRUCT(VcpuGuestContext, struct vcpu_guest_context);
    FIELD(FpuCtxt, fpu_ctxt);
    FIELD(Flags, flags);
    FIELD(UserRegs, user_regs);
    FIELD(TrapCtxt, trap_ctxt);
    FIELD(LdtBase, ldt_base);
    FIELD(LdtEnts, ldt_ents);
    FIELD(GdtFrames, gdt_frames);
    FIELD(GdtEnts, gdt_ents);
    FIELD(KernelSs, kernel_ss);
    FIELD(KernelSp, kernel_sp);
    FIELD(Ctrlreg, ctrlreg);
    FIELD(Debugreg, debugreg);
    FIELD(EventCallbackEip, event_callback_eip);
    FIELD(FailsafeCallbackEip, failsafe_callback_eip);
    FIELD(SyscallCallbackEip, syscall_callback_eip);
    FIELD(VmAssist, vm_assist);
    FIELD(FsBase, fs_base);
    FIELD(GsBaseKernel, gs_base_kernel);
    FIELD(GsBaseUser, gs_base_user);
    END;

    GROUP(VcpuGuestContextFlags);
    VALUE(I387Valid, VGCF_I387_VALID);
    VALUE(InKernel, VGCF_IN_KERNEL);
    VALUE(FailsafeDisablesEvents, VGCF_failsafe_disables_events);
    VALUE(SyscallDisablesEvents, VGCF_syscall_disables_events);
    VALUE(Online, VGCF_online);
    VALUE(InSyscall, VGCF_IN_SYSCALL);
    END;
}

static void iret_context(void)
{
    STRUCT(IretContext, struct iret_context);
    FIELD(Rax, rax);
    FIELD(R11, r11);
    FIELD(Rcx, rcx);
    FIELD(Flags, flags);
    FIELD(Rip, rip);
    FIELD(Cs, cs);
    FIELD(Rflags, rflags);
    FIELD(Rsp, rsp);
    FIELD(Ss, ss);
    END;
}

static void callbacks(void)
{
    GROUP(CallbackOperation);
    VALUE(Register, CALLBACKOP_register);
    VALUE(Unregister, CALLBACKOP_unregister);
    END;

    GROUP(CallbackType);
    VALUE(Event, CALLBACKTYPE_event);
    VALUE(Failsafe, CALLBACKTYPE_failsafe);
    VALUE(Syscall, CALLBACKTYPE_syscall);
    VALUE(SysenterDeprecated, CALLBACKTYPE_sysenter_deprecated);
    VALUE(Nmi, CALLBACKTYPE_nmi);
    VALUE(Sysenter, CALLBACKTYPE_sysenter);
    VALUE(Syscall32, CALLBACKTYPE_syscall32);
    END;

    GROUP(CallbackFlags);
    VALUE(MaskEvents, CALLBACKF_mask_events);
    END;

    STRUCT(CallbackRegister, struct callback_register);
    FIELD(Type, type);
    FIELD(Flags, flags);
    FIELD(Address, address);
    END;

    STRUCT(CallbackUnregister, struct callback_unregister);
    FIELD(Type, type);
    FIELD(Unused, _unused);
    END;
}

static void vm_assist(void)
{
    GROUP(VmAssistCommand);
    VALUE(Enable, VMASST_CMD_enable);
    VALUE(Disable, VMASST_CMD_disable);
    END;

    GROUP(VmAssistType);
    VALUE(FourGbSegments, VMASST_TYPE_4gb_segments);
    VALUE(FourGbSegmentsNotify, VMASST_TYPE_4gb_segments_notify);
    VALUE(WritablePagetables, VMASST_TYPE_writable_pagetables);
    VALUE(PaeExtendedCr3, VMASST_TYPE_pae_extended_cr3);
    VALUE(ArchitecturalIopl, VMASST_TYPE_architectural_iopl);
    VALUE(RunstateUpdateFlag, VMASST_TYPE_runstate_update_flag);
    VALUE(M2pStrict, VMASST_TYPE_m2p_strict);
    END;
}

/* VcpuRegisterMemoryArea stands for both. */
_Static_assert(sizeof(struct vcpu_register_time_memory_area) == sizeof(struct vcpu_register_runstate_memory_area), "one size");

static void vcpu_ops(void)
{
    GROUP(VcpuOperation);
    VALUE(Initialise, VCPUOP_initialise);
    VALUE(Up, VCPUOP_up);
    VALUE(Down, VCPUOP_down);
    VALUE(IsUp, VCPUOP_is_up);
    VALUE(GetRunstateInfo, VCPUOP_get_runstate_info);
    VALUE(RegisterRunstateMemoryArea, VCPUOP_register_runstate_memory_area);
    VALUE(SetPeriodicTimer, VCPUOP_set_periodic_timer);
    VALUE(StopPeriodicTimer, VCPUOP_stop_periodic_timer);
    VALUE(SetSingleshotTimer, VCPUOP_set_singleshot_timer);
    VALUE(StopSingleshotTimer, VCPUOP_stop_singleshot_timer);
    VALUE(RegisterVcpuInfo, VCPUOP_register_vcpu_info);
    VALUE(SendNmi, VCPUOP_send_nmi);
    VALUE(GetPhysid, VCPUOP_get_physid);
    VALUE(RegisterVcpuTimeMemoryArea, VCPUOP_register_vcpu_time_memory_area);
    END;

    GROUP(Runstate);
    VALUE(Running, RUNSTATE_running);
    VALUE(Runnable, RUNSTATE_runnable);
    VALUE(Blocked, RUNSTATE_blocked);
    VALUE(Offline, RUNSTATE_offline);
    END;

    STRUCT(VcpuRunstateInfo, struct vcpu_runstate_info);
    FIELD(State, state);
    FIELD(StateEntryTime, state_entry_time);
    FIELD(Time, time);
    VALUE(Update, XEN_RUNSTATE_UPDATE);
    END;

    STRUCT(VcpuRegisterMemoryArea, struct vcpu_register_runstate_memory_area);
    FIELD(Addr, addr);
    END;

    STRUCT(VcpuSetPeriodicTimer, struct vcpu_set_periodic_timer);
    FIELD(PeriodNs, period_ns);
    END;

    STRUCT(VcpuSetSingleshotTimer, struct vcpu_set_singleshot_timer);
    FIELD(TimeoutAbsNs, timeout_abs_ns);
    FIELD(Flags, flags);
    END;

    GROUP(SingleshotTimerFlags);
    VALUE(Future, VCPU_SSHOTTMR_future);
    END;

    STRUCT(VcpuRegisterVcpuInfo, struct vcpu_register_vcpu_info);
    FIELD(Mfn, mfn);
    FIELD(Offset, offset);
    FIELD(Rsvd, rsvd);
    END;

    STRUCT(VcpuGetPhysid, struct vcpu_get_physid);
    FIELD(PhysId, phys_id);
    END;
}

static void sched_ops(void)
{
    GROUP(SchedOperation);
    VALUE(Yield, SCHEDOP_yield);
    VALUE(Block, SCHEDOP_block);
    VALUE(Shutdown, SCHEDOP_shutdown);
    VALUE(Poll, SCHEDOP_poll);
    VALUE(RemoteShutdown, SCHEDOP_remote_shutdown);
    VALUE(ShutdownCode, SCHEDOP_shutdown_code);
    VALUE(Watchdog, SCHEDOP_watchdog);
    VALUE(PinOverride, SCHEDOP_pin_override);
    END;

    GROUP(ShutdownReason);
    VALUE(Poweroff, SHUTDOWN_poweroff);
    VALUE(Reboot, SHUTDOWN_reboot);
    VALUE(Suspend, SHUTDOWN_suspend);
    VALUE(Crash, SHUTDOWN_crash);
    VALUE(Watchdog, SHUTDOWN_watchdog);
    VALUE(SoftReset, SHUTDOWN_soft_reset);
    END;

    STRUCT(SchedShutdown, struct sched_shutdown);
    FIELD(Reason, reason);
    END;

    STRUCT(SchedPoll, struct sched_poll);
    FIELD(Ports, ports);
    FIELD(NrPorts, nr_ports);
    FIELD(Timeout, timeout);
    END;

    STRUCT(SchedRemoteShutdown, struct sched_remote_shutdown);
    FIELD(DomainId, domain_id);
    FIELD(Reason, reason);
    END;

    STRUCT(SchedWatchdog, struct sched_watchdog);
    FIELD(Id, id);
    FIELD(Timeout, timeout);
    END;

    STRUCT(SchedPinOverride, struct sched_pin_override);
    FIELD(Pcpu, pcpu);
    END;
}

static void nmi_ops(void)
{
    GROUP(NmiOperation);
    VALUE(RegisterCallback, XENNMI_register_callback);
    VALUE(UnregisterCallback, XENNMI_unregister_callback);
    END;

    STRUCT(NmiCallback, struct xennmi_callback);
    FIELD(HandlerAddress, handler_address);
    FIELD(Pad, pad);
    END;
}

static void pmu_ops(void)
{
    GROUP(PmuOperation);
    VALUE(ModeGet, XENPMU_mode_get);
    VALUE(ModeSet, XENPMU_mode_set);
    VALUE(FeatureGet, XENPMU_feature_get);
    VALUE(FeatureSet, XENPMU_feature_set);
    VALUE(Init, XENPMU_init);
    VALUE(Finish, XENPMU_finish);
    VALUE(LvtpcSet, XENPMU_lvtpc_set);
    VALUE(Flush, XENPMU_flush);
    END;

    STRUCT(PmuParams, struct xen_pmu_params);
    FIELD(VersionMaj, version.maj);
    FIELD(VersionMin, version.min);
    FIELD(Val, val);
    FIELD(Vcpu, vcpu);
    FIELD(Pad, pad);
    END;
}

void golden_cpu(void)
{
    hypercall_number();
    xen_errno();
    multicall();
    trap_info();
    vcpu_guest_context();
    iret_context();
    callbacks();
    vm_assist();
    vcpu_ops();
    sched_ops();
    nmi_ops();
    pmu_ops();
}
