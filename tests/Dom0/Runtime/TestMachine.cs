using Xen.Abi;
using Xen.Core;
using Xen.GuestKit.Assembly;
using Xen.Rings;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>A whole machine, and domains in it whose kernels a test assembles.</summary>
internal sealed class TestMachine : IDisposable
{
    /// <summary>How long a guest of a few instructions may take on a busy host. Nothing waits that long unless it is broken.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly string _folder = Directory.CreateTempSubdirectory("xen-machine-").FullName;
    private int _kernels;

    public TestMachine(int memoryMiB = 256) =>
        Toolstack = LocalToolstack.Start(new MachineOptions(memoryMiB) { ConsoleLogFolder = Path.Combine(_folder, "log"), CoreDumpFolder = DumpFolder });

    public LocalToolstack Toolstack { get; }

    public IStorePort Store => Toolstack.Host.Dom0.Store;

    public Machine Machine => Toolstack.Host.Machine;

    /// <summary>Where its files are.</summary>
    public string Folder => _folder;

    /// <summary>Where it puts core dumps that are given no path.</summary>
    public string DumpFolder => Path.Combine(_folder, "dump");

    /// <summary>A kernel's file.</summary>
    public string Kernel(Action<GuestAssembler> program)
    {
        var guest = new GuestAssembler();
        program(guest);
        string path = Path.Combine(_folder, $"kernel{_kernels++}");
        File.WriteAllBytes(path, guest.Build().Elf);
        return path;
    }

    /// <summary>A guest that waits for events and does nothing with them.</summary>
    public static void Idle(GuestAssembler guest)
    {
        Iced.Intel.Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Block();
        guest.Code.jmp(again);
    }

    /// <summary>The configuration of a domain of 64 MiB.</summary>
    public DomainConfig Config(string name, Action<GuestAssembler>? program = null) => new()
    {
        Name = name, Kernel = Kernel(program ?? Idle), CpuEngine = "interpreter", MemoryMiB = 64, MaxMemoryMiB = 64, Uuid = Guid.NewGuid(),
        OnCrash = ShutdownAction.Destroy,
    };

    /// <summary>Makes a domain that runs.</summary>
    public IRunningDomain Start(DomainConfig config)
    {
        IRunningDomain domain = Toolstack.CreateDomain(config);
        domain.Unpause();
        return domain;
    }

    /// <summary>The domain in the hypervisor.</summary>
    public Domain Find(IRunningDomain domain) => Machine.FindDomain(new DomId((ushort)domain.Id)) ?? throw new InvalidOperationException("it is gone");

    /// <summary>A node of a domain's folder in xenstore, or null.</summary>
    public string? Read(IRunningDomain domain, string node) => ReadAt($"/local/domain/{domain.Id}/{node}");

    /// <summary>A node of xenstore, or null.</summary>
    public string? ReadAt(string path) => Store.Read(path, out string value) == XenErrno.OK ? value : null;

    public static void WaitFor(Func<bool> condition, string what) => Assert.True(SpinWait.SpinUntil(condition, Patience), what + " does not happen");

    public static string Refusal(Action action) => Assert.Throws<ToolstackException>(action).Message;

    public void Dispose()
    {
        Toolstack.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
