/* Physical devices, and what split drivers share. */
#include "golden.h"

#include <xen/physdev.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/io/xenbus.h>
#include <xen/io/ring.h>
#include <xen/io/protocols.h>

/* A ring of the smallest request and response, for the offsets that all rings share. */
DEFINE_RING_TYPES(golden, uint8_t, uint8_t);

static void physdev_ops(void)
{
    GROUP(PhysdevOperation);
    VALUE(IrqUnmaskNotify, PHYSDEVOP_IRQ_UNMASK_NOTIFY);
    VALUE(IrqStatusQuery, PHYSDEVOP_irq_status_query);
    VALUE(SetIopl, PHYSDEVOP_set_iopl);
    VALUE(SetIobitmap, PHYSDEVOP_set_iobitmap);
    VALUE(ApicRead, PHYSDEVOP_apic_read);
    VALUE(ApicWrite, PHYSDEVOP_apic_write);
    VALUE(AllocIrqVector, PHYSDEVOP_alloc_irq_vector);
    VALUE(FreeIrqVector, PHYSDEVOP_free_irq_vector);
    VALUE(Eoi, PHYSDEVOP_eoi);
    VALUE(MapPirq, PHYSDEVOP_map_pirq);
    VALUE(UnmapPirq, PHYSDEVOP_unmap_pirq);
    VALUE(ManagePciAdd, PHYSDEVOP_manage_pci_add);
    VALUE(ManagePciRemove, PHYSDEVOP_manage_pci_remove);
    VALUE(PirqEoiGmfnV1, PHYSDEVOP_pirq_eoi_gmfn_v1);
    VALUE(RestoreMsi, PHYSDEVOP_restore_msi);
    VALUE(ManagePciAddExt, PHYSDEVOP_manage_pci_add_ext);
    VALUE(SetupGsi, PHYSDEVOP_setup_gsi);
    VALUE(GetFreePirq, PHYSDEVOP_get_free_pirq);
    VALUE(PciMmcfgReserved, PHYSDEVOP_pci_mmcfg_reserved);
    VALUE(PciDeviceAdd, PHYSDEVOP_pci_device_add);
    VALUE(PciDeviceRemove, PHYSDEVOP_pci_device_remove);
    VALUE(RestoreMsiExt, PHYSDEVOP_restore_msi_ext);
    VALUE(PirqEoiGmfnV2, PHYSDEVOP_pirq_eoi_gmfn_v2);
    VALUE(DbgpOp, PHYSDEVOP_dbgp_op);
    VALUE(PrepareMsix, PHYSDEVOP_prepare_msix);
    VALUE(ReleaseMsix, PHYSDEVOP_release_msix);
    END;

    STRUCT(PhysdevEoi, struct physdev_eoi);
    FIELD(Irq, irq);
    END;

    STRUCT(PhysdevPirqEoiGmfn, struct physdev_pirq_eoi_gmfn);
    FIELD(Gmfn, gmfn);
    END;

    STRUCT(PhysdevIrqStatusQuery, struct physdev_irq_status_query);
    FIELD(Irq, irq);
    FIELD(Flags, flags);
    END;

    GROUP(IrqStatusFlags);
    VALUE(NeedsEoi, XENIRQSTAT_needs_eoi);
    VALUE(Shared, XENIRQSTAT_shared);
    END;

    STRUCT(PhysdevSetIopl, struct physdev_set_iopl);
    FIELD(Iopl, iopl);
    END;

    STRUCT(PhysdevSetIobitmap, struct physdev_set_iobitmap);
    FIELD(Bitmap, bitmap);
    FIELD(NrPorts, nr_ports);
    END;

    STRUCT(PhysdevApic, struct physdev_apic);
    FIELD(ApicPhysbase, apic_physbase);
    FIELD(Reg, reg);
    FIELD(Value, value);
    END;

    STRUCT(PhysdevIrq, struct physdev_irq);
    FIELD(Irq, irq);
    FIELD(Vector, vector);
    END;

    STRUCT(PhysdevMapPirq, struct physdev_map_pirq);
    FIELD(Domid, domid);
    FIELD(Type, type);
    FIELD(Index, index);
    FIELD(Pirq, pirq);
    FIELD(Bus, bus);
    FIELD(Devfn, devfn);
    FIELD(EntryNr, entry_nr);
    FIELD(TableBase, table_base);
    END;

    GROUP(MapPirqType);
    VALUE(Msi, MAP_PIRQ_TYPE_MSI);
    VALUE(Gsi, MAP_PIRQ_TYPE_GSI);
    VALUE(Unknown, MAP_PIRQ_TYPE_UNKNOWN);
    VALUE(MsiSeg, MAP_PIRQ_TYPE_MSI_SEG);
    VALUE(MultiMsi, MAP_PIRQ_TYPE_MULTI_MSI);
    END;

    STRUCT(PhysdevUnmapPirq, struct physdev_unmap_pirq);
    FIELD(Domid, domid);
    FIELD(Pirq, pirq);
    END;

    STRUCT(PhysdevGetFreePirq, struct physdev_get_free_pirq);
    FIELD(Type, type);
    FIELD(Pirq, pirq);
    END;
}

static void console_interface(void)
{
    GROUP(ConsoleInterfaceLayout);
    VALUE(In, offsetof(struct xencons_interface, in));
    VALUE(InSize, sizeof(((struct xencons_interface *)0)->in));
    VALUE(Out, offsetof(struct xencons_interface, out));
    VALUE(OutSize, sizeof(((struct xencons_interface *)0)->out));
    VALUE(InCons, offsetof(struct xencons_interface, in_cons));
    VALUE(InProd, offsetof(struct xencons_interface, in_prod));
    VALUE(OutCons, offsetof(struct xencons_interface, out_cons));
    VALUE(OutProd, offsetof(struct xencons_interface, out_prod));
    VALUE(Size, sizeof(struct xencons_interface));
    END;

    GROUP(ConsoleIoOperation);
    VALUE(Write, CONSOLEIO_write);
    VALUE(Read, CONSOLEIO_read);
    END;
}

static void xen_store_interface(void)
{
    GROUP(XenStoreInterfaceLayout);
    VALUE(Req, offsetof(struct xenstore_domain_interface, req));
    VALUE(Rsp, offsetof(struct xenstore_domain_interface, rsp));
    VALUE(RingSize, XENSTORE_RING_SIZE);
    VALUE(ReqCons, offsetof(struct xenstore_domain_interface, req_cons));
    VALUE(ReqProd, offsetof(struct xenstore_domain_interface, req_prod));
    VALUE(RspCons, offsetof(struct xenstore_domain_interface, rsp_cons));
    VALUE(RspProd, offsetof(struct xenstore_domain_interface, rsp_prod));
    VALUE(ServerFeatures, offsetof(struct xenstore_domain_interface, server_features));
    VALUE(Connection, offsetof(struct xenstore_domain_interface, connection));
    VALUE(Error, offsetof(struct xenstore_domain_interface, error));
    VALUE(Size, sizeof(struct xenstore_domain_interface));
    END;

    GROUP(XenStoreServerFeatures);
    VALUE(Reconnection, XENSTORE_SERVER_FEATURE_RECONNECTION);
    VALUE(Error, XENSTORE_SERVER_FEATURE_ERROR);
    END;

    GROUP(XenStoreConnection);
    VALUE(Connected, XENSTORE_CONNECTED);
    VALUE(Reconnect, XENSTORE_RECONNECT);
    END;

    GROUP(XenStoreRingError);
    VALUE(None, XENSTORE_ERROR_NONE);
    VALUE(Comm, XENSTORE_ERROR_COMM);
    VALUE(RingIdx, XENSTORE_ERROR_RINGIDX);
    VALUE(Proto, XENSTORE_ERROR_PROTO);
    END;

    STRUCT(XenStoreMessageHeader, struct xsd_sockmsg);
    FIELD(Type, type);
    FIELD(ReqId, req_id);
    FIELD(TxId, tx_id);
    FIELD(Len, len);
    END;

    GROUP(XenStoreMessageType);
    VALUE(Control, XS_CONTROL);
    VALUE(Directory, XS_DIRECTORY);
    VALUE(Read, XS_READ);
    VALUE(GetPerms, XS_GET_PERMS);
    VALUE(Watch, XS_WATCH);
    VALUE(Unwatch, XS_UNWATCH);
    VALUE(TransactionStart, XS_TRANSACTION_START);
    VALUE(TransactionEnd, XS_TRANSACTION_END);
    VALUE(Introduce, XS_INTRODUCE);
    VALUE(Release, XS_RELEASE);
    VALUE(GetDomainPath, XS_GET_DOMAIN_PATH);
    VALUE(Write, XS_WRITE);
    VALUE(Mkdir, XS_MKDIR);
    VALUE(Rm, XS_RM);
    VALUE(SetPerms, XS_SET_PERMS);
    VALUE(WatchEvent, XS_WATCH_EVENT);
    VALUE(Error, XS_ERROR);
    VALUE(IsDomainIntroduced, XS_IS_DOMAIN_INTRODUCED);
    VALUE(Resume, XS_RESUME);
    VALUE(SetTarget, XS_SET_TARGET);
    VALUE(ResetWatches, XS_RESET_WATCHES);
    VALUE(DirectoryPart, XS_DIRECTORY_PART);
    VALUE(Invalid, XS_INVALID);
    END;

    GROUP(XenStoreLimits);
    VALUE(PayloadMax, XENSTORE_PAYLOAD_MAX);
    VALUE(AbsPathMax, XENSTORE_ABS_PATH_MAX);
    VALUE(RelPathMax, XENSTORE_REL_PATH_MAX);
    END;
}

static void xenbus_state(void)
{
    GROUP(XenbusState);
    VALUE(Unknown, XenbusStateUnknown);
    VALUE(Initialising, XenbusStateInitialising);
    VALUE(InitWait, XenbusStateInitWait);
    VALUE(Initialised, XenbusStateInitialised);
    VALUE(Connected, XenbusStateConnected);
    VALUE(Closing, XenbusStateClosing);
    VALUE(Closed, XenbusStateClosed);
    VALUE(Reconfiguring, XenbusStateReconfiguring);
    VALUE(Reconfigured, XenbusStateReconfigured);
    END;
}

static void ring_layout(void)
{
    GROUP(RingLayout);
    VALUE(ReqProd, offsetof(struct golden_sring, req_prod));
    VALUE(ReqEvent, offsetof(struct golden_sring, req_event));
    VALUE(RspProd, offsetof(struct golden_sring, rsp_prod));
    VALUE(RspEvent, offsetof(struct golden_sring, rsp_event));
    VALUE(Pvt, offsetof(struct golden_sring, pvt));
    VALUE(Ring, offsetof(struct golden_sring, ring));
    END;

    GROUP(IoProtocolAbi);
    TEXT(X86_32, XEN_IO_PROTO_ABI_X86_32);
    TEXT(X86_64, XEN_IO_PROTO_ABI_X86_64);
    TEXT(Arm, XEN_IO_PROTO_ABI_ARM);
    TEXT(Native, XEN_IO_PROTO_ABI_NATIVE);
    END;
}

void golden_devices(void)
{
    physdev_ops();
    console_interface();
    xen_store_interface();
    xenbus_state();
    ring_layout();
}
