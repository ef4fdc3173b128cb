using System.Globalization;
using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>
/// A device's folder in xenstore with typed nodes. Each read gives null, or one sentence that says what was wrong with which node and whose
/// fault it is ("frontend wrote ring-ref='abc', which is not a number"), ready to be the result of <see cref="IXenbusBackend.Connect"/>.
/// </summary>
/// <param name="Store">Where to read: the store, or a transaction.</param>
/// <param name="Path">The folder. Names of nodes may have parts ("queue-0/ring-ref").</param>
/// <param name="Writer">Who writes it, as a sentence begins: "frontend", "backend".</param>
/// <remarks>Values are claims of whoever writes the folder; what a sentence repeats of them is short and printable. Numbers are decimal.</remarks>
public readonly record struct XenbusFolder(IStoreView Store, string Path, string Writer)
{
    private const int LongestQuote = 32;

    /// <summary>The folder of a backend's peer.</summary>
    public static XenbusFolder FrontendOf(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new XenbusFolder(context.Store, context.FrontendPath, "frontend");
    }

    /// <summary>The folder of a frontend's peer.</summary>
    public static XenbusFolder BackendOf(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new XenbusFolder(context.Store, context.BackendPath, "backend");
    }

    /// <summary>Reads text that has to be there.</summary>
    public string? ReadText(string name, out string value) => ReadOptional(name, out value) is { } error
        ? error
        : value.Length == 0 && !Exists(name) ? $"{Writer} never wrote {name}" : null;

    /// <summary>Reads text; it is empty if the node is not there.</summary>
    public string? ReadOptional(string name, out string value)
    {
        XenErrno error = Store.Read(Path + "/" + name, out value);
        if (error == XenErrno.OK)
            return null;
        value = "";
        return error == XenErrno.ENOENT ? null : $"{name} of the {Writer} cannot be read: {error}";
    }

    /// <summary>Reads a number that has to be there.</summary>
    public string? ReadUInt(string name, out uint value) => ReadUInt(name, uint.MinValue, uint.MaxValue, out value);

    /// <summary>Reads a number that has to be there and in a range, its ends included.</summary>
    public string? ReadUInt(string name, uint least, uint most, out uint value)
    {
        value = 0;
        return ReadText(name, out string text) ?? Parse(name, text, least, most, out value);
    }

    /// <summary>Reads a number that need not be there, but if it is must be in a range, its ends included.</summary>
    public string? ReadUIntOr(string name, uint absent, uint least, uint most, out uint value)
    {
        value = absent;
        return ReadOptional(name, out string text) ?? (text.Length == 0 ? null : Parse(name, text, least, most, out value));
    }

    /// <summary>Reads a grant reference that has to be there.</summary>
    public string? ReadGrantRef(string name, out GrantRef reference)
    {
        string? error = ReadUInt(name, out uint value);
        reference = new GrantRef(value);
        return error;
    }

    /// <summary>Reads an event channel port that has to be there; 0 is none.</summary>
    public string? ReadPort(string name, out EvtchnPort port)
    {
        string? error = ReadUInt(name, 1, uint.MaxValue, out uint value);
        port = new EvtchnPort(value);
        return error;
    }

    /// <summary>Reads a feature flag, 0 or another number; false if it is not there.</summary>
    public string? ReadBool(string name, out bool value)
    {
        string? error = ReadUIntOr(name, 0, uint.MinValue, uint.MaxValue, out uint number);
        value = number != 0;
        return error;
    }

    /// <summary>Reads the state node.</summary>
    /// <param name="state">The state; null if the node is not there, or if it is none.</param>
    /// <returns>Null, also if the node is not there, or what was wrong.</returns>
    public string? ReadState(out XenbusState? state)
    {
        state = null;
        if (ReadOptional("state", out string text) is { } error)
            return error;
        if (text.Length == 0)
            return null;
        if (!TryParse(text, out uint number) || number > (uint)XenbusState.Reconfigured)
            return $"{Writer} wrote state='{Quote(text)}', which is not a state";
        state = (XenbusState)number;
        return null;
    }

    /// <summary>Writes a number.</summary>
    public XenErrno Write(string name, uint value) => Write(name, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Writes a flag as 0 or 1.</summary>
    public XenErrno Write(string name, bool value) => Write(name, value ? "1" : "0");

    /// <summary>Writes text.</summary>
    public XenErrno Write(string name, string value) => Store.Write(Path + "/" + name, value);

    private string? Parse(string name, string text, uint least, uint most, out uint value)
    {
        if (!TryParse(text, out value))
            return $"{Writer} wrote {name}='{Quote(text)}', which is not a number";
        if (value >= least && value <= most)
            return null;
        uint wrong = value;
        value = 0;
        return string.Create(CultureInfo.InvariantCulture, $"{Writer} wrote {name}={wrong}, which is not between {least} and {most}");
    }

    private bool Exists(string name) => Store.Read(Path + "/" + name, out _) == XenErrno.OK;

    private static bool TryParse(string text, out uint value) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    /// <summary>The beginning of what a peer wrote, without what a terminal would obey.</summary>
    private static string Quote(string text)
    {
        string start = text.Length > LongestQuote ? text[..LongestQuote] + "..." : text;
        return string.Create(start.Length, start, (span, from) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
        });
    }
}
