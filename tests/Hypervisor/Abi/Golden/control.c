/* What only a privileged domain uses. */
#include "golden.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/platform.h>

static void domctl(void)
{
    PREFIX(DomctlHeader, struct xen_domctl, u);
    FIELD(Cmd, cmd);
    FIELD(InterfaceVersion, interface_version);
    FIELD(Domain, domain);
    FIELD(Pad0, _pad[0]);
    FIELD_OF_SIZE(Pad1, _pad[1], 4);
    END;

    GROUP(DomctlLayout);
    VALUE(InterfaceVersion, XEN_DOMCTL_INTERFACE_VERSION);
    VALUE(Argument, offsetof(struct xen_domctl, u));
    VALUE(Size, sizeof(struct xen_domctl));
    END;

    GROUP(DomctlOperation);
    VALUE(CreateDomain, XEN_DOMCTL_createdomain);
    VALUE(DestroyDomain, XEN_DOMCTL_destroydomain);
    VALUE(PauseDomain, XEN_DOMCTL_pausedomain);
    VALUE(UnpauseDomain, XEN_DOMCTL_unpausedomain);
    VALUE(GetDomainInfo, XEN_DOMCTL_getdomaininfo);
    VALUE(SetVcpuAffinity, XEN_DOMCTL_setvcpuaffinity);
    VALUE(ShadowOp, XEN_DOMCTL_shadow_op);
    VALUE(MaxMem, XEN_DOMCTL_max_mem);
    VALUE(SetVcpuContext, XEN_DOMCTL_setvcpucontext);
    VALUE(GetVcpuContext, XEN_DOMCTL_getvcpucontext);
    VALUE(GetVcpuInfo, XEN_DOMCTL_getvcpuinfo);
    VALUE(MaxVcpus, XEN_DOMCTL_max_vcpus);
    VALUE(SchedulerOp, XEN_DOMCTL_scheduler_op);
    VALUE(SetDomainHandle, XEN_DOMCTL_setdomainhandle);
    VALUE(HypercallInit, XEN_DOMCTL_hypercall_init);
    VALUE(SetTimeOffset, XEN_DOMCTL_settimeoffset);
    VALUE(GetVcpuAffinity, XEN_DOMCTL_getvcpuaffinity);
    VALUE(ResumeDomain, XEN_DOMCTL_resumedomain);
    VALUE(SendTrigger, XEN_DOMCTL_sendtrigger);
    VALUE(Subscribe, XEN_DOMCTL_subscribe);
    VALUE(SetAddressSize, XEN_DOMCTL_set_address_size);
    VALUE(GetAddressSize, XEN_DOMCTL_get_address_size);
    VALUE(GetTscInfo, XEN_DOMCTL_gettscinfo);
    VALUE(SetTscInfo, XEN_DOMCTL_settscinfo);
    VALUE(GetPageFrameInfo3, XEN_DOMCTL_getpageframeinfo3);
    VALUE(SetVirqHandler, XEN_DOMCTL_set_virq_handler);
    END;

    STRUCT(DomctlCreateDomain, struct xen_domctl_createdomain);
    FIELD(Ssidref, ssidref);
    FIELD(Handle, handle);
    FIELD(Flags, flags);
    FIELD(IommuOpts, iommu_opts);
    FIELD(MaxVcpus, max_vcpus);
    FIELD(MaxEvtchnPort, max_evtchn_port);
    FIELD(MaxGrantFrames, max_grant_frames);
    FIELD(MaxMaptrackFrames, max_maptrack_frames);
    FIELD(GrantOpts, grant_opts);
    FIELD(VmtraceSize, vmtrace_size);
    FIELD(CpupoolId, cpupool_id);
    FIELD(ArchEmulationFlags, arch.emulation_flags);
    FIELD(ArchMiscFlags, arch.misc_flags);
    END;

    GROUP(CreateDomainFlags);
    VALUE(Hvm, XEN_DOMCTL_CDF_hvm);
    VALUE(Hap, XEN_DOMCTL_CDF_hap);
    VALUE(S3Integrity, XEN_DOMCTL_CDF_s3_integrity);
    VALUE(OosOff, XEN_DOMCTL_CDF_oos_off);
    VALUE(XsDomain, XEN_DOMCTL_CDF_xs_domain);
    VALUE(Iommu, XEN_DOMCTL_CDF_iommu);
    VALUE(NestedVirt, XEN_DOMCTL_CDF_nested_virt);
    VALUE(Vpmu, XEN_DOMCTL_CDF_vpmu);
    END;

    STRUCT(DomctlGetDomainInfo, struct xen_domctl_getdomaininfo);
    FIELD(Domain, domain);
    FIELD(Pad1, pad1);
    FIELD(Flags, flags);
    FIELD(TotPages, tot_pages);
    FIELD(MaxPages, max_pages);
    FIELD(OutstandingPages, outstanding_pages);
    FIELD(ShrPages, shr_pages);
    FIELD(PagedPages, paged_pages);
    FIELD(SharedInfoFrame, shared_info_frame);
    FIELD(CpuTime, cpu_time);
    FIELD(NrOnlineVcpus, nr_online_vcpus);
    FIELD(MaxVcpuId, max_vcpu_id);
    FIELD(Ssidref, ssidref);
    FIELD(Handle, handle);
    FIELD(Cpupool, cpupool);
    FIELD(GpaddrBits, gpaddr_bits);
    FIELD(Pad2, pad2);
    FIELD(ArchConfigEmulationFlags, arch_config.emulation_flags);
    FIELD(ArchConfigMiscFlags, arch_config.misc_flags);
    VALUE(ShutdownShift, XEN_DOMINF_shutdownshift);
    END;

    GROUP(DomainInfoFlags);
    VALUE(Dying, XEN_DOMINF_dying);
    VALUE(HvmGuest, XEN_DOMINF_hvm_guest);
    VALUE(Shutdown, XEN_DOMINF_shutdown);
    VALUE(Paused, XEN_DOMINF_paused);
    VALUE(Blocked, XEN_DOMINF_blocked);
    VALUE(Running, XEN_DOMINF_running);
    VALUE(Debugged, XEN_DOMINF_debugged);
    VALUE(XsDomain, XEN_DOMINF_xs_domain);
    VALUE(Hap, XEN_DOMINF_hap);
    VALUE(ShutdownMask, XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift);
    END;

    STRUCT(DomctlMaxMem, struct xen_domctl_max_mem);
    FIELD(MaxMemkb, max_memkb);
    END;

    STRUCT(DomctlMaxVcpus, struct xen_domctl_max_vcpus);
    FIELD(Max, max);
    END;

    STRUCT(DomctlVcpuContext, struct xen_domctl_vcpucontext);
    FIELD(Vcpu, vcpu);
    FIELD(Ctxt, ctxt);
    END;

    STRUCT(DomctlGetVcpuInfo, struct xen_domctl_getvcpuinfo);
    FIELD(Vcpu, vcpu);
    FIELD(Online, online);
    FIELD(Blocked, blocked);
    FIELD(Running, running);
    FIELD(CpuTime, cpu_time);
    FIELD(Cpu, cpu);
    END;

    STRUCT(DomctlVcpuAffinity, struct xen_domctl_vcpuaffinity);
    FIELD(Vcpu, vcpu);
    FIELD(Flags, flags);
    FIELD(CpumapHard, cpumap_hard);
    FIELD(CpumapSoft, cpumap_soft);
    END;

    GROUP(VcpuAffinityFlags);
    VALUE(Hard, XEN_VCPUAFFINITY_HARD);
    VALUE(Soft, XEN_VCPUAFFINITY_SOFT);
    VALUE(Force, XEN_VCPUAFFINITY_FORCE);
    END;

    STRUCT(ControlBitmap, struct xenctl_bitmap);
    FIELD(Bitmap, bitmap);
    FIELD(NrBits, nr_bits);
    END;

    STRUCT(DomctlSetTimeOffset, struct xen_domctl_settimeoffset);
    FIELD(TimeOffsetSeconds, time_offset_seconds);
    END;

    STRUCT(DomctlSetDomainHandle, struct xen_domctl_setdomainhandle);
    FIELD(Handle, handle);
    END;

    STRUCT(DomctlHypercallInit, struct xen_domctl_hypercall_init);
    FIELD(Gmfn, gmfn);
    END;

    STRUCT(DomctlSetVirqHandler, struct xen_domctl_set_virq_handler);
    FIELD(Virq, virq);
    END;
}

static void sysctl(void)
{
    PREFIX(SysctlHeader, struct xen_sysctl, u);
    FIELD(Cmd, cmd);
    FIELD(InterfaceVersion, interface_version);
    END;

    GROUP(SysctlLayout);
    VALUE(InterfaceVersion, XEN_SYSCTL_INTERFACE_VERSION);
    VALUE(Argument, offsetof(struct xen_sysctl, u));
    VALUE(Size, sizeof(struct xen_sysctl));
    END;

    GROUP(SysctlOperation);
    VALUE(ReadConsole, XEN_SYSCTL_readconsole);
    VALUE(Physinfo, XEN_SYSCTL_physinfo);
    VALUE(SchedId, XEN_SYSCTL_sched_id);
    VALUE(GetDomainInfoList, XEN_SYSCTL_getdomaininfolist);
    VALUE(DebugKeys, XEN_SYSCTL_debug_keys);
    VALUE(GetCpuInfo, XEN_SYSCTL_getcpuinfo);
    VALUE(AvailHeap, XEN_SYSCTL_availheap);
    END;

    STRUCT(SysctlReadConsole, struct xen_sysctl_readconsole);
    FIELD(Clear, clear);
    FIELD(Incremental, incremental);
    FIELD(Pad0, pad0);
    FIELD(Pad1, pad1);
    FIELD(Index, index);
    FIELD(Buffer, buffer);
    FIELD(Count, count);
    END;

    STRUCT(SysctlPhysinfo, struct xen_sysctl_physinfo);
    FIELD(ThreadsPerCore, threads_per_core);
    FIELD(CoresPerSocket, cores_per_socket);
    FIELD(NrCpus, nr_cpus);
    FIELD(MaxCpuId, max_cpu_id);
    FIELD(NrNodes, nr_nodes);
    FIELD(MaxNodeId, max_node_id);
    FIELD(CpuKhz, cpu_khz);
    FIELD(Capabilities, capabilities);
    FIELD(ArchCapabilities, arch_capabilities);
    FIELD(Pad, pad);
    FIELD(TotalPages, total_pages);
    FIELD(FreePages, free_pages);
    FIELD(ScrubPages, scrub_pages);
    FIELD(OutstandingPages, outstanding_pages);
    FIELD(MaxMfn, max_mfn);
    FIELD(HwCap, hw_cap);
    END;

    GROUP(PhysicalCapabilities);
    VALUE(Hvm, XEN_SYSCTL_PHYSCAP_hvm);
    VALUE(Pv, XEN_SYSCTL_PHYSCAP_pv);
    VALUE(Directio, XEN_SYSCTL_PHYSCAP_directio);
    VALUE(Hap, XEN_SYSCTL_PHYSCAP_hap);
    VALUE(Shadow, XEN_SYSCTL_PHYSCAP_shadow);
    VALUE(IommuHapPtShare, XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share);
    VALUE(Vmtrace, XEN_SYSCTL_PHYSCAP_vmtrace);
    VALUE(Vpmu, XEN_SYSCTL_PHYSCAP_vpmu);
    VALUE(GnttabV1, XEN_SYSCTL_PHYSCAP_gnttab_v1);
    VALUE(GnttabV2, XEN_SYSCTL_PHYSCAP_gnttab_v2);
    END;

    STRUCT(SysctlGetDomainInfoList, struct xen_sysctl_getdomaininfolist);
    FIELD(FirstDomain, first_domain);
    FIELD(MaxDomains, max_domains);
    FIELD(Buffer, buffer);
    FIELD(NumDomains, num_domains);
    END;

    STRUCT(SysctlSchedId, struct xen_sysctl_sched_id);
    FIELD(SchedId, sched_id);
    END;

    GROUP(SchedulerId);
    VALUE(Credit, XEN_SCHEDULER_CREDIT);
    VALUE(Credit2, XEN_SCHEDULER_CREDIT2);
    VALUE(Arinc653, XEN_SCHEDULER_ARINC653);
    VALUE(Rtds, XEN_SCHEDULER_RTDS);
    VALUE(Null, XEN_SCHEDULER_NULL);
    END;
}

static void platform_ops(void)
{
    PREFIX(PlatformOpHeader, struct xen_platform_op, u);
    FIELD(Cmd, cmd);
    FIELD(InterfaceVersion, interface_version);
    END;

    GROUP(PlatformOpLayout);
    VALUE(InterfaceVersion, XENPF_INTERFACE_VERSION);
    VALUE(Argument, offsetof(struct xen_platform_op, u));
    VALUE(Size, sizeof(struct xen_platform_op));
    END;

    GROUP(PlatformOperation);
    VALUE(Settime32, XENPF_settime32);
    VALUE(FirmwareInfo, XENPF_firmware_info);
    VALUE(GetCpuinfo, XENPF_get_cpuinfo);
    VALUE(Settime64, XENPF_settime64);
    END;

    STRUCT(PlatformSettime64, struct xenpf_settime64);
    FIELD(Secs, secs);
    FIELD(Nsecs, nsecs);
    FIELD(Mbz, mbz);
    FIELD(SystemTime, system_time);
    END;

    STRUCT(PlatformSettime32, struct xenpf_settime32);
    FIELD(Secs, secs);
    FIELD(Nsecs, nsecs);
    FIELD(SystemTime, system_time);
    END;

    STRUCT(PlatformPcpuInfo, struct xenpf_pcpuinfo);
    FIELD(XenCpuid, xen_cpuid);
    FIELD(MaxPresent, max_present);
    FIELD(Flags, flags);
    FIELD(ApicId, apic_id);
    FIELD(AcpiId, acpi_id);
    END;

    GROUP(PcpuFlags);
    VALUE(Online, XEN_PCPU_FLAGS_ONLINE);
    VALUE(Invalid, XEN_PCPU_FLAGS_INVALID);
    END;
}

void golden_control(void)
{
    domctl();
    sysctl();
    platform_ops();
}
