namespace Xen.Memory;

/// <summary>
/// What a frame may be used for while its type count is not zero. The types exclude each other: that no page table is ever
/// writable for a guest is what direct paging rests on.
/// </summary>
public enum FrameType : byte
{
    /// <summary>Not decided yet: the frame was never typed since it was allocated.</summary>
    None = 0,
    L1Table = 1,
    L2Table = 2,
    L3Table = 3,
    L4Table = 4,

    /// <summary>Holds segment descriptors that were validated.</summary>
    SegmentDescriptors = 5,

    /// <summary>Mapped writable.</summary>
    Writable = 7,
}

/// <summary>What became of a request for a type.</summary>
public enum TypeAcquisition : byte
{
    /// <summary>The frame is used as something else, or has too many users.</summary>
    Refused,

    /// <summary>One more user of the type that the frame has.</summary>
    Joined,

    /// <summary>The first user: stale translations have to be flushed when the frame was something else before, and contents to be validated.</summary>
    First,
}
