namespace Xen.Service;

/// <summary>Something is asked of a xend that is ending.</summary>
internal sealed class StoppingException : Exception
{
    public StoppingException(string message)
        : base(message)
    {
    }

    public StoppingException()
    {
    }

    public StoppingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
