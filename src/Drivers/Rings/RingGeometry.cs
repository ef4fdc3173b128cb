using System.Numerics;
using Xen.Abi;

namespace Xen.Rings;

/// <summary>
/// Where the slots of a shared ring lie: after the header, one after the other through all pages. Where the slots' size does not divide what
/// is left of a page, a slot lies on two of them.
/// </summary>
/// <param name="Pages">How many pages the ring has.</param>
/// <param name="SlotSize">The larger of a request and a response. <b>Units</b>: bytes.</param>
/// <remarks><b>Source</b>: io/ring.h, __CONST_RING_SIZE: as many as fit, rounded down to a power of two.</remarks>
public readonly record struct RingGeometry(int Pages, int SlotSize)
{
    /// <summary>The number of slots: a power of two, so that an index modulo it is unbroken where indices wrap.</summary>
    public int Slots
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Pages);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(SlotSize);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(SlotSize, Page.Size - RingLayout.Ring);
            return 1 << BitOperations.Log2((uint)(((Pages * Page.Size) - RingLayout.Ring) / SlotSize));
        }
    }
}
