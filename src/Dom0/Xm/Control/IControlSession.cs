namespace Xen.Xm;

/// <summary>What a connection is used for after its request was granted, where one answer is not all.</summary>
internal interface IControlSession : IDisposable
{
    /// <summary>Talks to the client until it leaves, or there is nothing more to say.</summary>
    /// <param name="stream">The connection; not owned.</param>
    /// <param name="stop">Ends it.</param>
    Task RunAsync(Stream stream, CancellationToken stop);
}
