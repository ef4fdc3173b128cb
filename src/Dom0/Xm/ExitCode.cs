namespace Xen.Xm;

/// <summary>What xm's exit status means; ended by a signal it is 128 plus the signal's number.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;

    /// <summary>Ctrl-C was typed where it is a key.</summary>
    public const int CtrlC = 128 + 2;

    /// <summary>Told to stop, by SIGTERM or what stands for it.</summary>
    public const int Interrupted = 128 + 15;
}

/// <summary>The command line is wrong: one sentence for a person, and exit status 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
