namespace Xen.Xm;

/// <summary>A command that could not be carried out: one sentence for a person, and exit status 1.</summary>
internal sealed class XmException : Exception
{
    public XmException(string message)
        : base(message)
    {
    }

    public XmException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public XmException()
    {
    }
}
