namespace Xen.Builder.Images;

/// <summary>
/// The bytes of an image, in parts: all there from the beginning, or each unpacked when it is needed and forgotten when it was used, so
/// that a large kernel takes little memory at a time.
/// </summary>
/// <remarks>Several threads may need parts at a time. Whoever forgets one sees to it that nobody reads it meanwhile.</remarks>
internal class ImageContent(ReadOnlyMemory<byte> bytes, IDisposable? owner = null) : IDisposable
{
    /// <summary>Size of all parts but the last. <b>Units</b>: bytes.</summary>
    public const int PartSize = 8 << 20;

    /// <summary>All the bytes, of which those are there that were needed.</summary>
    public ReadOnlyMemory<byte> Bytes => bytes;

    /// <summary>How many parts there are.</summary>
    public int PartCount => CountParts(bytes.Length);

    /// <summary>How many parts a length takes.</summary>
    public static int CountParts(int length) => (int)(((long)length + PartSize - 1) / PartSize);

    /// <summary>A part's bytes, as an offset and a length.</summary>
    public (int Offset, int Length) PartRange(int part)
    {
        var offset = part * PartSize;
        return (offset, Math.Min(bytes.Length - offset, PartSize));
    }

    /// <summary>Sees to it that bytes are there.</summary>
    /// <exception cref="ImageException">They do not unpack.</exception>
    public void Need(int offset, int length)
    {
        var end = offset + length;
        for (var part = offset / PartSize; length > 0 && part <= (end - 1) / PartSize; part++)
        {
            NeedPart(part, Math.Min(end - (part * PartSize), PartSize));
        }
    }

    /// <summary>Sees to it that all of a part is there, and that it is as long as it should be.</summary>
    /// <exception cref="ImageException">It does not unpack.</exception>
    public void NeedPart(int part) => NeedPart(part, PartRange(part).Length);

    /// <summary>Whether all of a part is there.</summary>
    public virtual bool HasPart(int part) => true;

    /// <summary>Sees to it that so many bytes of a part are there, from its beginning on.</summary>
    protected virtual void NeedPart(int part, int length)
    {
    }

    /// <summary>Gives a part's memory back, if it can be had again.</summary>
    public virtual void ForgetPart(int part)
    {
    }

    public virtual void Dispose() => owner?.Dispose();
}
