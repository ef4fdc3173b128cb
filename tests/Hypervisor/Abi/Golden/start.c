/* What a guest finds at the start of day and reads about its hypervisor. */
#include "golden.h"

#include <xen/xen.h>
#include <xen/elfnote.h>
#include <xen/features.h>
#include <xen/version.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/arch-x86/cpuid.h>

static void ids(void)
{
    ID(DomId, domid_t);
    ID(EvtchnPort, evtchn_port_t);
    ID(GrantRef, grant_ref_t);
    ID(Mfn, xen_pfn_t);
    ID(Pfn, xen_pfn_t);
    ID(Gfn, xen_pfn_t);

    GROUP(DomId);
    VALUE(FirstReserved, DOMID_FIRST_RESERVED);
    VALUE(Self, DOMID_SELF);
    VALUE(Io, DOMID_IO);
    VALUE(Xen, DOMID_XEN);
    VALUE(Cow, DOMID_COW);
    VALUE(Invalid, DOMID_INVALID);
    VALUE(Idle, DOMID_IDLE);
    VALUE(Mask, DOMID_MASK);
    END;
}

static void start_info(void)
{
    STRUCT(StartInfo, struct start_info);
    FIELD(Magic, magic);
    FIELD(NrPages, nr_pages);
    FIELD(SharedInfo, shared_info);
    FIELD(Flags, flags);
    FIELD(StoreMfn, store_mfn);
    FIELD(StoreEvtchn, store_evtchn);
    FIELD(Console, console);
    FIELD(PtBase, pt_base);
    FIELD(NrPtFrames, nr_pt_frames);
    FIELD(MfnList, mfn_list);
    FIELD(ModStart, mod_start);
    FIELD(ModLen, mod_len);
    FIELD(CmdLine, cmd_line);
    FIELD(FirstP2mPfn, first_p2m_pfn);
    FIELD(NrP2mFrames, nr_p2m_frames);
    VALUE(MaxGuestCmdline, MAX_GUEST_CMDLINE);
    END;

    PART(StartInfoConsole, struct start_info, console);
    PART_FIELD(DomUMfn, console.domU.mfn);
    PART_FIELD(DomUEvtchn, console.domU.evtchn);
    PART_FIELD(Dom0InfoOff, console.dom0.info_off);
    PART_FIELD(Dom0InfoSize, console.dom0.info_size);
    END;

    GROUP(StartInfoFlags);
    VALUE(Privileged, SIF_PRIVILEGED);
    VALUE(InitDomain, SIF_INITDOMAIN);
    VALUE(MultibootMod, SIF_MULTIBOOT_MOD);
    VALUE(ModStartPfn, SIF_MOD_START_PFN);
    VALUE(VirtP2m4Tools, SIF_VIRT_P2M_4TOOLS);
    VALUE(PmMask, SIF_PM_MASK);
    END;
}

static void shared_info_layout(void)
{
    GROUP(SharedInfoLayout);
    VALUE(VcpuInfo, offsetof(struct shared_info, vcpu_info));
    VALUE(EvtchnPending, offsetof(struct shared_info, evtchn_pending));
    VALUE(EvtchnMask, offsetof(struct shared_info, evtchn_mask));
    VALUE(WcVersion, offsetof(struct shared_info, wc_version));
    VALUE(WcSec, offsetof(struct shared_info, wc_sec));
    VALUE(WcNsec, offsetof(struct shared_info, wc_nsec));
    VALUE(WcSecHi, offsetof(struct shared_info, wc_sec_hi));
    VALUE(Arch, offsetof(struct shared_info, arch));
    VALUE(ArchMaxPfn, offsetof(struct shared_info, arch.max_pfn));
    VALUE(ArchPfnToMfnFrameListList, offsetof(struct shared_info, arch.pfn_to_mfn_frame_list_list));
    VALUE(ArchNmiReason, offsetof(struct shared_info, arch.nmi_reason));
    VALUE(ArchP2mCr3, offsetof(struct shared_info, arch.p2m_cr3));
    VALUE(ArchP2mVaddr, offsetof(struct shared_info, arch.p2m_vaddr));
    VALUE(ArchP2mGeneration, offsetof(struct shared_info, arch.p2m_generation));
    VALUE(Size, sizeof(struct shared_info));
    VALUE(LegacyMaxVcpus, XEN_LEGACY_MAX_VCPUS);
    END;
}

static void vcpu_info_layout(void)
{
    GROUP(VcpuInfoLayout);
    VALUE(UpcallPending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    VALUE(UpcallMask, offsetof(struct vcpu_info, evtchn_upcall_mask));
    VALUE(PendingSel, offsetof(struct vcpu_info, evtchn_pending_sel));
    VALUE(Cr2, offsetof(struct vcpu_info, arch.cr2));
    VALUE(Time, offsetof(struct vcpu_info, time));
    VALUE(Size, sizeof(struct vcpu_info));
    END;
}

static void vcpu_time_info(void)
{
    STRUCT(VcpuTimeInfo, struct vcpu_time_info);
    FIELD(Version, version);
    FIELD(Pad0, pad0);
    FIELD(TscTimestamp, tsc_timestamp);
    FIELD(SystemTime, system_time);
    FIELD(TscToSystemMul, tsc_to_system_mul);
    FIELD(TscShift, tsc_shift);
    FIELD(Flags, flags);
    FIELD(Pad1, pad1);
    END;

    GROUP(PvclockFlags);
    VALUE(TscStable, XEN_PVCLOCK_TSC_STABLE_BIT);
    VALUE(GuestStopped, XEN_PVCLOCK_GUEST_STOPPED);
    END;
}

static void selectors_and_layout(void)
{
    GROUP(FlatSelectors);
    VALUE(Ring3Cs32, FLAT_RING3_CS32);
    VALUE(Ring3Cs64, FLAT_RING3_CS64);
    VALUE(Ring3Ds32, FLAT_RING3_DS32);
    VALUE(Ring3Ds64, FLAT_RING3_DS64);
    VALUE(Ring3Ss32, FLAT_RING3_SS32);
    VALUE(Ring3Ss64, FLAT_RING3_SS64);
    VALUE(KernelCs, FLAT_KERNEL_CS);
    VALUE(KernelDs, FLAT_KERNEL_DS);
    VALUE(KernelSs, FLAT_KERNEL_SS);
    VALUE(UserCs32, FLAT_USER_CS32);
    VALUE(UserCs64, FLAT_USER_CS64);
    VALUE(UserDs32, FLAT_USER_DS32);
    VALUE(UserDs64, FLAT_USER_DS64);
    VALUE(UserSs32, FLAT_USER_SS32);
    VALUE(UserSs64, FLAT_USER_SS64);
    END;

    GROUP(GdtLayout);
    VALUE(FirstReservedPage, FIRST_RESERVED_GDT_PAGE);
    VALUE(FirstReservedByte, FIRST_RESERVED_GDT_BYTE);
    VALUE(FirstReservedEntry, FIRST_RESERVED_GDT_ENTRY);
    END;

    GROUP(HypervisorLayout);
    VALUE(VirtStart, HYPERVISOR_VIRT_START);
    VALUE(VirtEnd, HYPERVISOR_VIRT_END);
    VALUE(Mach2PhysVirtStart, MACH2PHYS_VIRT_START);
    VALUE(Mach2PhysVirtEnd, MACH2PHYS_VIRT_END);
    VALUE(Mach2PhysNrEntries, MACH2PHYS_NR_ENTRIES);
    VALUE(FirstL4Slot, (HYPERVISOR_VIRT_START >> 39) & 511);
    VALUE(LastL4Slot, ((HYPERVISOR_VIRT_END - 1) >> 39) & 511);
    END;

    GROUP(SegmentBase);
    VALUE(Fs, SEGBASE_FS);
    VALUE(GsUser, SEGBASE_GS_USER);
    VALUE(GsKernel, SEGBASE_GS_KERNEL);
    VALUE(GsUserSel, SEGBASE_GS_USER_SEL);
    END;
}

static void elf_notes(void)
{
    GROUP(ElfNoteType);
    VALUE(Info, XEN_ELFNOTE_INFO);
    VALUE(Entry, XEN_ELFNOTE_ENTRY);
    VALUE(HypercallPage, XEN_ELFNOTE_HYPERCALL_PAGE);
    VALUE(VirtBase, XEN_ELFNOTE_VIRT_BASE);
    VALUE(PaddrOffset, XEN_ELFNOTE_PADDR_OFFSET);
    VALUE(XenVersion, XEN_ELFNOTE_XEN_VERSION);
    VALUE(GuestOs, XEN_ELFNOTE_GUEST_OS);
    VALUE(GuestVersion, XEN_ELFNOTE_GUEST_VERSION);
    VALUE(Loader, XEN_ELFNOTE_LOADER);
    VALUE(PaeMode, XEN_ELFNOTE_PAE_MODE);
    VALUE(Features, XEN_ELFNOTE_FEATURES);
    VALUE(BsdSymtab, XEN_ELFNOTE_BSD_SYMTAB);
    VALUE(HvStartLow, XEN_ELFNOTE_HV_START_LOW);
    VALUE(L1MfnValid, XEN_ELFNOTE_L1_MFN_VALID);
    VALUE(SuspendCancel, XEN_ELFNOTE_SUSPEND_CANCEL);
    VALUE(InitP2m, XEN_ELFNOTE_INIT_P2M);
    VALUE(ModStartPfn, XEN_ELFNOTE_MOD_START_PFN);
    VALUE(SupportedFeatures, XEN_ELFNOTE_SUPPORTED_FEATURES);
    VALUE(Phys32Entry, XEN_ELFNOTE_PHYS32_ENTRY);
    VALUE(CrashInfo, XEN_ELFNOTE_CRASH_INFO);
    VALUE(CrashRegs, XEN_ELFNOTE_CRASH_REGS);
    VALUE(DumpcoreNone, XEN_ELFNOTE_DUMPCORE_NONE);
    VALUE(DumpcoreHeader, XEN_ELFNOTE_DUMPCORE_HEADER);
    VALUE(DumpcoreXenVersion, XEN_ELFNOTE_DUMPCORE_XEN_VERSION);
    VALUE(DumpcoreFormatVersion, XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION);
    END;

    GROUP(ElfNotes);
    VALUE(Max, XEN_ELFNOTE_MAX);
    END;
}

static void features(void)
{
    GROUP(XenFeature);
    VALUE(WritablePageTables, XENFEAT_writable_page_tables);
    VALUE(WritableDescriptorTables, XENFEAT_writable_descriptor_tables);
    VALUE(AutoTranslatedPhysmap, XENFEAT_auto_translated_physmap);
    VALUE(SupervisorModeKernel, XENFEAT_supervisor_mode_kernel);
    VALUE(PaePgdirAbove4gb, XENFEAT_pae_pgdir_above_4gb);
    VALUE(MmuPtUpdatePreserveAd, XENFEAT_mmu_pt_update_preserve_ad);
    VALUE(HighmemAssist, XENFEAT_highmem_assist);
    VALUE(GnttabMapAvailBits, XENFEAT_gnttab_map_avail_bits);
    VALUE(HvmCallbackVector, XENFEAT_hvm_callback_vector);
    VALUE(HvmSafePvclock, XENFEAT_hvm_safe_pvclock);
    VALUE(HvmPirqs, XENFEAT_hvm_pirqs);
    VALUE(Dom0, XENFEAT_dom0);
    VALUE(MemoryOpVnodeSupported, XENFEAT_memory_op_vnode_supported);
    VALUE(ArmSmcccSupported, XENFEAT_ARM_SMCCC_supported);
    VALUE(LinuxRsdpUnrestricted, XENFEAT_linux_rsdp_unrestricted);
    VALUE(NotDirectMapped, XENFEAT_not_direct_mapped);
    VALUE(DirectMapped, XENFEAT_direct_mapped);
    END;

    GROUP(XenFeatures);
    VALUE(NrSubmaps, XENFEAT_NR_SUBMAPS);
    END;
}

static void xen_version(void)
{
    GROUP(XenVersionOperation);
    VALUE(Version, XENVER_version);
    VALUE(Extraversion, XENVER_extraversion);
    VALUE(CompileInfo, XENVER_compile_info);
    VALUE(Capabilities, XENVER_capabilities);
    VALUE(Changeset, XENVER_changeset);
    VALUE(PlatformParameters, XENVER_platform_parameters);
    VALUE(GetFeatures, XENVER_get_features);
    VALUE(Pagesize, XENVER_pagesize);
    VALUE(GuestHandle, XENVER_guest_handle);
    VALUE(Commandline, XENVER_commandline);
    VALUE(BuildId, XENVER_build_id);
    END;

    GROUP(XenVersionLimits);
    VALUE(ExtraversionLength, XEN_EXTRAVERSION_LEN);
    VALUE(CapabilitiesInfoLength, XEN_CAPABILITIES_INFO_LEN);
    VALUE(ChangesetInfoLength, XEN_CHANGESET_INFO_LEN);
    VALUE(CommandlineLength, sizeof(xen_commandline_t));
    END;

    STRUCT(CompileInfo, struct xen_compile_info);
    FIELD(Compiler, compiler);
    FIELD(CompileBy, compile_by);
    FIELD(CompileDomain, compile_domain);
    FIELD(CompileDate, compile_date);
    END;

    STRUCT(PlatformParameters, struct xen_platform_parameters);
    FIELD(VirtStart, virt_start);
    END;

    STRUCT(FeatureInfo, struct xen_feature_info);
    FIELD(SubmapIdx, submap_idx);
    FIELD(Submap, submap);
    END;
}

static void cpuid_leaves(void)
{
    GROUP(CpuidLeaves);
    VALUE(First, XEN_CPUID_FIRST_LEAF);
    VALUE(Version, XEN_CPUID_LEAF(1));
    VALUE(Hypercalls, XEN_CPUID_LEAF(2));
    VALUE(Tsc, XEN_CPUID_LEAF(3));
    VALUE(Hvm, XEN_CPUID_LEAF(4));
    VALUE(Pv, XEN_CPUID_LEAF(5));
    VALUE(MaxNumLeaves, XEN_CPUID_MAX_NUM_LEAVES);
    VALUE(SignatureEbx, XEN_CPUID_SIGNATURE_EBX);
    VALUE(SignatureEcx, XEN_CPUID_SIGNATURE_ECX);
    VALUE(SignatureEdx, XEN_CPUID_SIGNATURE_EDX);
    VALUE(FeatureMmuPtUpdatePreserveAd, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD);
    VALUE(MachineAddressWidthMask, XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK);
    TEXT(EmulatePrefix, XEN_EMULATE_PREFIX);
    END;
}

void golden_start(void)
{
    ids();
    start_info();
    shared_info_layout();
    vcpu_info_layout();
    vcpu_time_info();
    selectors_and_layout();
    elf_notes();
    features();
    xen_version();
    cpuid_leaves();
}
