/* Page tables and memory reservations. */
#include "golden.h"

#include <xen/xen.h>
#include <xen/memory.h>

static void mmu_ops(void)
{
    STRUCT(MmuUpdate, struct mmu_update);
    FIELD(Ptr, ptr);
    FIELD(Val, val);
    VALUE(CommandMask, MMU_MACHPHYS_UPDATE | MMU_PT_UPDATE_PRESERVE_AD | MMU_PT_UPDATE_NO_TRANSLATE);
    END;

    GROUP(MmuUpdateCommand);
    VALUE(NormalPtUpdate, MMU_NORMAL_PT_UPDATE);
    VALUE(MachphysUpdate, MMU_MACHPHYS_UPDATE);
    VALUE(PtUpdatePreserveAd, MMU_PT_UPDATE_PRESERVE_AD);
    VALUE(PtUpdateNoTranslate, MMU_PT_UPDATE_NO_TRANSLATE);
    END;

    STRUCT(MmuextOp, struct mmuext_op);
    FIELD(Cmd, cmd);
    FIELD(Arg1, arg1);
    FIELD(Arg2, arg2);
    END;

    GROUP(MmuextCommand);
    VALUE(PinL1Table, MMUEXT_PIN_L1_TABLE);
    VALUE(PinL2Table, MMUEXT_PIN_L2_TABLE);
    VALUE(PinL3Table, MMUEXT_PIN_L3_TABLE);
    VALUE(PinL4Table, MMUEXT_PIN_L4_TABLE);
    VALUE(UnpinTable, MMUEXT_UNPIN_TABLE);
    VALUE(NewBaseptr, MMUEXT_NEW_BASEPTR);
    VALUE(TlbFlushLocal, MMUEXT_TLB_FLUSH_LOCAL);
    VALUE(InvlpgLocal, MMUEXT_INVLPG_LOCAL);
    VALUE(TlbFlushMulti, MMUEXT_TLB_FLUSH_MULTI);
    VALUE(InvlpgMulti, MMUEXT_INVLPG_MULTI);
    VALUE(TlbFlushAll, MMUEXT_TLB_FLUSH_ALL);
    VALUE(InvlpgAll, MMUEXT_INVLPG_ALL);
    VALUE(FlushCache, MMUEXT_FLUSH_CACHE);
    VALUE(SetLdt, MMUEXT_SET_LDT);
    VALUE(NewUserBaseptr, MMUEXT_NEW_USER_BASEPTR);
    VALUE(ClearPage, MMUEXT_CLEAR_PAGE);
    VALUE(CopyPage, MMUEXT_COPY_PAGE);
    VALUE(FlushCacheGlobal, MMUEXT_FLUSH_CACHE_GLOBAL);
    VALUE(MarkSuper, MMUEXT_MARK_SUPER);
    VALUE(UnmarkSuper, MMUEXT_UNMARK_SUPER);
    END;

    GROUP(UpdateVaMappingFlags);
    VALUE(None, UVMF_NONE);
    VALUE(TlbFlush, UVMF_TLB_FLUSH);
    VALUE(Invlpg, UVMF_INVLPG);
    VALUE(FlushTypeMask, UVMF_FLUSHTYPE_MASK);
    VALUE(Local, UVMF_LOCAL);
    VALUE(All, UVMF_ALL);
    END;
}

static void memory_ops(void)
{
    GROUP(MemoryOperation);
    VALUE(IncreaseReservation, XENMEM_increase_reservation);
    VALUE(DecreaseReservation, XENMEM_decrease_reservation);
    VALUE(MaximumRamPage, XENMEM_maximum_ram_page);
    VALUE(CurrentReservation, XENMEM_current_reservation);
    VALUE(MaximumReservation, XENMEM_maximum_reservation);
    VALUE(MachphysMfnList, XENMEM_machphys_mfn_list);
    VALUE(PopulatePhysmap, XENMEM_populate_physmap);
    VALUE(AddToPhysmap, XENMEM_add_to_physmap);
    VALUE(MemoryMap, XENMEM_memory_map);
    VALUE(MachineMemoryMap, XENMEM_machine_memory_map);
    VALUE(Exchange, XENMEM_exchange);
    VALUE(MachphysMapping, XENMEM_machphys_mapping);
    VALUE(SetMemoryMap, XENMEM_set_memory_map);
    VALUE(MaximumGpfn, XENMEM_maximum_gpfn);
    VALUE(RemoveFromPhysmap, XENMEM_remove_from_physmap);
    VALUE(SetPodTarget, XENMEM_set_pod_target);
    VALUE(GetPodTarget, XENMEM_get_pod_target);
    VALUE(GetSharingFreedPages, XENMEM_get_sharing_freed_pages);
    VALUE(GetSharingSharedPages, XENMEM_get_sharing_shared_pages);
    VALUE(PagingOp, XENMEM_paging_op);
    VALUE(AccessOp, XENMEM_access_op);
    VALUE(SharingOp, XENMEM_sharing_op);
    VALUE(AddToPhysmapBatch, XENMEM_add_to_physmap_batch);
    VALUE(ClaimPages, XENMEM_claim_pages);
    VALUE(MachphysCompatMfnList, XENMEM_machphys_compat_mfn_list);
    VALUE(GetVnumainfo, XENMEM_get_vnumainfo);
    VALUE(ReservedDeviceMemoryMap, XENMEM_reserved_device_memory_map);
    VALUE(AcquireResource, XENMEM_acquire_resource);
    END;

    STRUCT(MemoryReservation, struct xen_memory_reservation);
    FIELD(ExtentStart, extent_start);
    FIELD(NrExtents, nr_extents);
    FIELD(ExtentOrder, extent_order);
    FIELD(MemFlags, mem_flags);
    FIELD(Domid, domid);
    END;

    GROUP(MemoryReservationFlags);
    VALUE(AddressBitsMask, XENMEMF_get_address_bits(~0u));
    VALUE(PopulateOnDemand, XENMEMF_populate_on_demand);
    VALUE(ExactNodeRequest, XENMEMF_exact_node_request);
    VALUE(Vnode, XENMEMF_vnode);
    END;

    STRUCT(MemoryExchange, struct xen_memory_exchange);
    FIELD(In, in);
    FIELD(Out, out);
    FIELD(NrExchanged, nr_exchanged);
    END;

    STRUCT(MemoryDomain, struct xen_memory_domain);
    FIELD(Domid, domid);
    END;

    STRUCT(MachphysMfnList, struct xen_machphys_mfn_list);
    FIELD(MaxExtents, max_extents);
    FIELD(ExtentStart, extent_start);
    FIELD(NrExtents, nr_extents);
    END;

    STRUCT(MachphysMapping, struct xen_machphys_mapping);
    FIELD(VStart, v_start);
    FIELD(VEnd, v_end);
    FIELD(MaxMfn, max_mfn);
    END;

    STRUCT(MemoryMap, struct xen_memory_map);
    FIELD(NrEntries, nr_entries);
    FIELD(Buffer, buffer);
    END;

    STRUCT(ForeignMemoryMap, struct xen_foreign_memory_map);
    FIELD(Domid, domid);
    FIELD(Map, map);
    END;

    STRUCT(AddToPhysmap, struct xen_add_to_physmap);
    FIELD(Domid, domid);
    FIELD(Size, size);
    FIELD(Space, space);
    FIELD(Idx, idx);
    FIELD(Gpfn, gpfn);
    VALUE(GrantTableStatus, XENMAPIDX_grant_table_status);
    END;

    STRUCT(AddToPhysmapBatch, struct xen_add_to_physmap_batch);
    FIELD(Domid, domid);
    FIELD(Space, space);
    FIELD(Size, size);
    FIELD(ForeignDomid, u.foreign_domid);
    FIELD(Idxs, idxs);
    FIELD(Gpfns, gpfns);
    FIELD(Errs, errs);
    END;

    STRUCT(RemoveFromPhysmap, struct xen_remove_from_physmap);
    FIELD(Domid, domid);
    FIELD(Gpfn, gpfn);
    END;

    GROUP(PhysmapSpace);
    VALUE(SharedInfo, XENMAPSPACE_shared_info);
    VALUE(GrantTable, XENMAPSPACE_grant_table);
    VALUE(Gmfn, XENMAPSPACE_gmfn);
    VALUE(GmfnRange, XENMAPSPACE_gmfn_range);
    VALUE(GmfnForeign, XENMAPSPACE_gmfn_foreign);
    VALUE(DevMmio, XENMAPSPACE_dev_mmio);
    END;

    STRUCT(AcquireResource, struct xen_mem_acquire_resource);
    FIELD(Domid, domid);
    FIELD(Type, type);
    FIELD(Id, id);
    FIELD(NrFrames, nr_frames);
    FIELD(Pad, pad);
    FIELD(Frame, frame);
    FIELD(FrameList, frame_list);
    END;

    GROUP(ResourceType);
    VALUE(IoreqServer, XENMEM_resource_ioreq_server);
    VALUE(GrantTable, XENMEM_resource_grant_table);
    VALUE(VmtraceBuf, XENMEM_resource_vmtrace_buf);
    END;

    GROUP(GrantTableResource);
    VALUE(Shared, XENMEM_resource_grant_table_id_shared);
    VALUE(Status, XENMEM_resource_grant_table_id_status);
    END;
}

void golden_memory(void)
{
    mmu_ops();
    memory_ops();
}
