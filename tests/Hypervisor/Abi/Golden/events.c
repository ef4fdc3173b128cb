/* Event channels. */
#include "golden.h"

#include <xen/event_channel.h>
#include <xen/physdev.h>

static void event_channel_ops(void)
{
    GROUP(EventChannelOperation);
    VALUE(BindInterdomain, EVTCHNOP_bind_interdomain);
    VALUE(BindVirq, EVTCHNOP_bind_virq);
    VALUE(BindPirq, EVTCHNOP_bind_pirq);
    VALUE(Close, EVTCHNOP_close);
    VALUE(Send, EVTCHNOP_send);
    VALUE(Status, EVTCHNOP_status);
    VALUE(AllocUnbound, EVTCHNOP_alloc_unbound);
    VALUE(BindIpi, EVTCHNOP_bind_ipi);
    VALUE(BindVcpu, EVTCHNOP_bind_vcpu);
    VALUE(Unmask, EVTCHNOP_unmask);
    VALUE(Reset, EVTCHNOP_reset);
    VALUE(InitControl, EVTCHNOP_init_control);
    VALUE(ExpandArray, EVTCHNOP_expand_array);
    VALUE(SetPriority, EVTCHNOP_set_priority);
    END;

    GROUP(VirtualIrq);
    VALUE(Timer, VIRQ_TIMER);
    VALUE(Debug, VIRQ_DEBUG);
    VALUE(Console, VIRQ_CONSOLE);
    VALUE(DomExc, VIRQ_DOM_EXC);
    VALUE(Tbuf, VIRQ_TBUF);
    VALUE(Debugger, VIRQ_DEBUGGER);
    VALUE(Xenoprof, VIRQ_XENOPROF);
    VALUE(ConRing, VIRQ_CON_RING);
    VALUE(PcpuState, VIRQ_PCPU_STATE);
    VALUE(MemEvent, VIRQ_MEM_EVENT);
    VALUE(Argo, VIRQ_ARGO);
    VALUE(Enomem, VIRQ_ENOMEM);
    VALUE(Xenpmu, VIRQ_XENPMU);
    VALUE(Arch0, VIRQ_ARCH_0);
    VALUE(Arch1, VIRQ_ARCH_1);
    VALUE(Arch2, VIRQ_ARCH_2);
    VALUE(Arch3, VIRQ_ARCH_3);
    VALUE(Arch4, VIRQ_ARCH_4);
    VALUE(Arch5, VIRQ_ARCH_5);
    VALUE(Arch6, VIRQ_ARCH_6);
    VALUE(Arch7, VIRQ_ARCH_7);
    END;

    GROUP(EventChannelLimits);
    VALUE(NrVirqs, NR_VIRQS);
    VALUE(TwoLevelNrChannels, EVTCHN_2L_NR_CHANNELS);
    END;

    STRUCT(EvtchnAllocUnbound, struct evtchn_alloc_unbound);
    FIELD(Dom, dom);
    FIELD(RemoteDom, remote_dom);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnBindInterdomain, struct evtchn_bind_interdomain);
    FIELD(RemoteDom, remote_dom);
    FIELD(RemotePort, remote_port);
    FIELD(LocalPort, local_port);
    END;

    STRUCT(EvtchnBindVirq, struct evtchn_bind_virq);
    FIELD(Virq, virq);
    FIELD(Vcpu, vcpu);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnBindPirq, struct evtchn_bind_pirq);
    FIELD(Pirq, pirq);
    FIELD(Flags, flags);
    FIELD(Port, port);
    END;

    GROUP(BindPirqFlags);
    VALUE(WillShare, BIND_PIRQ__WILL_SHARE);
    END;

    STRUCT(EvtchnBindIpi, struct evtchn_bind_ipi);
    FIELD(Vcpu, vcpu);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnClose, struct evtchn_close);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnSend, struct evtchn_send);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnStatus, struct evtchn_status);
    FIELD(Dom, dom);
    FIELD(Port, port);
    FIELD(Status, status);
    FIELD(Vcpu, vcpu);
    FIELD(UnboundDom, u.unbound.dom);
    FIELD(InterdomainDom, u.interdomain.dom);
    FIELD(InterdomainPort, u.interdomain.port);
    FIELD(Pirq, u.pirq);
    FIELD(Virq, u.virq);
    END;

    GROUP(EvtchnStatusKind);
    VALUE(Closed, EVTCHNSTAT_closed);
    VALUE(Unbound, EVTCHNSTAT_unbound);
    VALUE(Interdomain, EVTCHNSTAT_interdomain);
    VALUE(Pirq, EVTCHNSTAT_pirq);
    VALUE(Virq, EVTCHNSTAT_virq);
    VALUE(Ipi, EVTCHNSTAT_ipi);
    END;

    STRUCT(EvtchnBindVcpu, struct evtchn_bind_vcpu);
    FIELD(Port, port);
    FIELD(Vcpu, vcpu);
    END;

    STRUCT(EvtchnUnmask, struct evtchn_unmask);
    FIELD(Port, port);
    END;

    STRUCT(EvtchnReset, struct evtchn_reset);
    FIELD(Dom, dom);
    END;

    STRUCT(EvtchnInitControl, struct evtchn_init_control);
    FIELD(ControlGfn, control_gfn);
    FIELD(Offset, offset);
    FIELD(Vcpu, vcpu);
    FIELD(LinkBits, link_bits);
    FIELD(Pad, _pad);
    END;

    STRUCT(EvtchnExpandArray, struct evtchn_expand_array);
    FIELD(ArrayGfn, array_gfn);
    END;

    STRUCT(EvtchnSetPriority, struct evtchn_set_priority);
    FIELD(Port, port);
    FIELD(Priority, priority);
    END;
}

static void event_channel_fifo(void)
{
    GROUP(FifoEventWord);
    VALUE(Pending, 1u << EVTCHN_FIFO_PENDING);
    VALUE(Masked, 1u << EVTCHN_FIFO_MASKED);
    VALUE(Linked, 1u << EVTCHN_FIFO_LINKED);
    VALUE(Busy, 1u << EVTCHN_FIFO_BUSY);
    VALUE(LinkBits, EVTCHN_FIFO_LINK_BITS);
    VALUE(LinkMask, EVTCHN_FIFO_LINK_MASK);
    VALUE(Size, sizeof(event_word_t));
    END;

    GROUP(FifoEventLimits);
    VALUE(NrChannels, EVTCHN_FIFO_NR_CHANNELS);
    VALUE(MaxQueues, EVTCHN_FIFO_MAX_QUEUES);
    VALUE(PriorityMax, EVTCHN_FIFO_PRIORITY_MAX);
    VALUE(PriorityDefault, EVTCHN_FIFO_PRIORITY_DEFAULT);
    VALUE(PriorityMin, EVTCHN_FIFO_PRIORITY_MIN);
    END;

    GROUP(FifoControlBlockLayout);
    VALUE(Ready, offsetof(struct evtchn_fifo_control_block, ready));
    VALUE(Head, offsetof(struct evtchn_fifo_control_block, head));
    VALUE(Size, sizeof(struct evtchn_fifo_control_block));
    END;
}

static void compat_ops(void)
{
    GROUP(EvtchnOpCompatLayout);
    VALUE(Cmd, offsetof(struct evtchn_op, cmd));
    VALUE(Argument, offsetof(struct evtchn_op, u));
    VALUE(Size, sizeof(struct evtchn_op));
    END;

    GROUP(PhysdevOpCompatLayout);
    VALUE(Cmd, offsetof(struct physdev_op, cmd));
    VALUE(Argument, offsetof(struct physdev_op, u));
    VALUE(Size, sizeof(struct physdev_op));
    END;
}

void golden_events(void)
{
    event_channel_ops();
    event_channel_fifo();
    compat_ops();
}
