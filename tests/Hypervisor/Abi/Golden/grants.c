/* Grant tables. */
#include "golden.h"

#include <xen/grant_table.h>

static void grant_table_ops(void)
{
    GROUP(GrantTableOperation);
    VALUE(MapGrantRef, GNTTABOP_map_grant_ref);
    VALUE(UnmapGrantRef, GNTTABOP_unmap_grant_ref);
    VALUE(SetupTable, GNTTABOP_setup_table);
    VALUE(DumpTable, GNTTABOP_dump_table);
    VALUE(Transfer, GNTTABOP_transfer);
    VALUE(Copy, GNTTABOP_copy);
    VALUE(QuerySize, GNTTABOP_query_size);
    VALUE(UnmapAndReplace, GNTTABOP_unmap_and_replace);
    VALUE(SetVersion, GNTTABOP_set_version);
    VALUE(GetStatusFrames, GNTTABOP_get_status_frames);
    VALUE(GetVersion, GNTTABOP_get_version);
    VALUE(SwapGrantRef, GNTTABOP_swap_grant_ref);
    VALUE(CacheFlush, GNTTABOP_cache_flush);
    END;

    GROUP(GrantStatus);
    VALUE(Okay, GNTST_okay);
    VALUE(GeneralError, GNTST_general_error);
    VALUE(BadDomain, GNTST_bad_domain);
    VALUE(BadGntref, GNTST_bad_gntref);
    VALUE(BadHandle, GNTST_bad_handle);
    VALUE(BadVirtAddr, GNTST_bad_virt_addr);
    VALUE(BadDevAddr, GNTST_bad_dev_addr);
    VALUE(NoDeviceSpace, GNTST_no_device_space);
    VALUE(PermissionDenied, GNTST_permission_denied);
    VALUE(BadPage, GNTST_bad_page);
    VALUE(BadCopyArg, GNTST_bad_copy_arg);
    VALUE(AddressTooBig, GNTST_address_too_big);
    VALUE(Eagain, GNTST_eagain);
    VALUE(NoSpace, GNTST_no_space);
    END;

    ID(GrantHandle, grant_handle_t);

    GROUP(GrantMapFlags);
    VALUE(DeviceMap, GNTMAP_device_map);
    VALUE(HostMap, GNTMAP_host_map);
    VALUE(Readonly, GNTMAP_readonly);
    VALUE(ApplicationMap, GNTMAP_application_map);
    VALUE(ContainsPte, GNTMAP_contains_pte);
    VALUE(GuestAvailMask, GNTMAP_guest_avail_mask);
    END;

    STRUCT(GnttabMapGrantRef, struct gnttab_map_grant_ref);
    FIELD(HostAddr, host_addr);
    FIELD(Flags, flags);
    FIELD(Ref, ref);
    FIELD(Dom, dom);
    FIELD(Status, status);
    FIELD(Handle, handle);
    FIELD(DevBusAddr, dev_bus_addr);
    END;

    STRUCT(GnttabUnmapGrantRef, struct gnttab_unmap_grant_ref);
    FIELD(HostAddr, host_addr);
    FIELD(DevBusAddr, dev_bus_addr);
    FIELD(Handle, handle);
    FIELD(Status, status);
    END;

    STRUCT(GnttabSetupTable, struct gnttab_setup_table);
    FIELD(Dom, dom);
    FIELD(NrFrames, nr_frames);
    FIELD(Status, status);
    FIELD(FrameList, frame_list);
    END;

    STRUCT(GnttabDumpTable, struct gnttab_dump_table);
    FIELD(Dom, dom);
    FIELD(Status, status);
    END;

    STRUCT(GnttabTransfer, struct gnttab_transfer);
    FIELD(Mfn, mfn);
    FIELD(Domid, domid);
    FIELD(Ref, ref);
    FIELD(Status, status);
    END;

    STRUCT(GnttabCopyPtr, struct gnttab_copy_ptr);
    FIELD(U, u);
    FIELD(Domid, domid);
    FIELD(Offset, offset);
    END;

    STRUCT(GnttabCopy, struct gnttab_copy);
    FIELD(Source, source);
    FIELD(Dest, dest);
    FIELD(Len, len);
    FIELD(Flags, flags);
    FIELD(Status, status);
    END;

    GROUP(GrantCopyFlags);
    VALUE(SourceGref, GNTCOPY_source_gref);
    VALUE(DestGref, GNTCOPY_dest_gref);
    END;

    STRUCT(GnttabQuerySize, struct gnttab_query_size);
    FIELD(Dom, dom);
    FIELD(NrFrames, nr_frames);
    FIELD(MaxNrFrames, max_nr_frames);
    FIELD(Status, status);
    END;

    STRUCT(GnttabUnmapAndReplace, struct gnttab_unmap_and_replace);
    FIELD(HostAddr, host_addr);
    FIELD(NewAddr, new_addr);
    FIELD(Handle, handle);
    FIELD(Status, status);
    END;

    STRUCT(GnttabSetVersion, struct gnttab_set_version);
    FIELD(Version, version);
    END;

    STRUCT(GnttabGetStatusFrames, struct gnttab_get_status_frames);
    FIELD(NrFrames, nr_frames);
    FIELD(Dom, dom);
    FIELD(Status, status);
    FIELD(FrameList, frame_list);
    END;

    STRUCT(GnttabGetVersion, struct gnttab_get_version);
    FIELD(Dom, dom);
    FIELD(Pad, pad);
    FIELD(Version, version);
    END;

    STRUCT(GnttabSwapGrantRef, struct gnttab_swap_grant_ref);
    FIELD(RefA, ref_a);
    FIELD(RefB, ref_b);
    FIELD(Status, status);
    END;

    STRUCT(GnttabCacheFlush, struct gnttab_cache_flush);
    FIELD(A, a);
    FIELD(Offset, offset);
    FIELD(Length, length);
    FIELD(Op, op);
    END;

    GROUP(GrantCacheFlushOperation);
    VALUE(Clean, GNTTAB_CACHE_CLEAN);
    VALUE(Inval, GNTTAB_CACHE_INVAL);
    VALUE(SourceGref, GNTTAB_CACHE_SOURCE_GREF);
    END;
}

static void grant_entry_layout(void)
{
    GROUP(GrantEntryV1Layout);
    VALUE(Flags, offsetof(struct grant_entry_v1, flags));
    VALUE(Domid, offsetof(struct grant_entry_v1, domid));
    VALUE(Frame, offsetof(struct grant_entry_v1, frame));
    VALUE(Size, sizeof(struct grant_entry_v1));
    END;

    GROUP(GrantEntryV2Layout);
    VALUE(Flags, offsetof(union grant_entry_v2, hdr.flags));
    VALUE(Domid, offsetof(union grant_entry_v2, hdr.domid));
    VALUE(FullPageFrame, offsetof(union grant_entry_v2, full_page.frame));
    VALUE(SubPagePageOff, offsetof(union grant_entry_v2, sub_page.page_off));
    VALUE(SubPageLength, offsetof(union grant_entry_v2, sub_page.length));
    VALUE(SubPageFrame, offsetof(union grant_entry_v2, sub_page.frame));
    VALUE(TransitiveTransDomid, offsetof(union grant_entry_v2, transitive.trans_domid));
    VALUE(TransitiveGref, offsetof(union grant_entry_v2, transitive.gref));
    VALUE(Size, sizeof(union grant_entry_v2));
    VALUE(StatusSize, sizeof(grant_status_t));
    END;

    GROUP(GrantEntryFlags);
    VALUE(Invalid, GTF_invalid);
    VALUE(PermitAccess, GTF_permit_access);
    VALUE(AcceptTransfer, GTF_accept_transfer);
    VALUE(Transitive, GTF_transitive);
    VALUE(TypeMask, GTF_type_mask);
    VALUE(Readonly, GTF_readonly);
    VALUE(Reading, GTF_reading);
    VALUE(Writing, GTF_writing);
    VALUE(Pwt, GTF_PWT);
    VALUE(Pcd, GTF_PCD);
    VALUE(Pat, GTF_PAT);
    VALUE(SubPage, GTF_sub_page);
    END;

    GROUP(GrantTransferFlags);
    VALUE(Committed, GTF_transfer_committed);
    VALUE(Completed, GTF_transfer_completed);
    END;

    GROUP(ReservedGrants);
    VALUE(Count, GNTTAB_NR_RESERVED_ENTRIES);
    VALUE(Console, GNTTAB_RESERVED_CONSOLE);
    VALUE(XenStore, GNTTAB_RESERVED_XENSTORE);
    END;
}

void golden_grants(void)
{
    grant_table_ops();
    grant_entry_layout();
}
