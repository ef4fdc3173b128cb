using System.Globalization;

namespace Xen.Toolstack;

/// <summary>Its memory: how much it is asked to have, and how much it may have.</summary>
internal sealed partial class RunningDomain
{
    public void SetMemoryTarget(int mebibytes)
    {
        lock (_lock)
        {
            DomainLife life = Listening();
            if (mebibytes < DomainConfig.LeastMemoryMiB)
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"domain '{_config.Name}' cannot be given {mebibytes} MiB: {DomainConfig.LeastMemoryMiB} MiB are the least that a kernel lives on."));
            }

            if (mebibytes > _config.MaxMemoryMiB)
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"domain '{_config.Name}' may have {_config.MaxMemoryMiB} MiB at most, and not {mebibytes}: 'xm mem-max' allows it more."));
            }

            Write(life, DomainNodes.MemoryTarget, DomainNodes.Text(Kibibytes(mebibytes)));
            _config = _config with { MemoryMiB = mebibytes };
        }
    }

    public void SetMaxMemory(int mebibytes)
    {
        lock (_lock)
        {
            DomainLife life = Living();
            if (mebibytes > DomainConfig.MostMemoryMiB)
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture, $"a domain may have {DomainConfig.MostMemoryMiB} MiB at most, and not {mebibytes}."));
            if (mebibytes < _config.MemoryMiB)
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"domain '{_config.Name}' is to have {_config.MemoryMiB} MiB, so that {mebibytes} cannot be its most: lower that with 'xm mem-set' first."));
            }

            Write(life, DomainNodes.StaticMax, DomainNodes.Text(Kibibytes(mebibytes)));
            life.Domain.MaxPages = (ulong)mebibytes << DomainLife.PagesPerMebibyteShift;
            _config = _config with { MaxMemoryMiB = mebibytes };
        }
    }

    private static long Kibibytes(int mebibytes) => (long)mebibytes << 10;
}
