using Xen.Cpu;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Config;

/// <summary>From a configuration file and overrides to a checked <see cref="DomainConfig"/>, and the sentences for what is wrong.</summary>
public sealed class DomainConfigTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xen-config-");

    public DomainConfigTests()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "vmlinuz"), "kernel");
        File.WriteAllText(Path.Combine(_folder.FullName, "initrd"), "ramdisk");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Read_Minimal_HasXmDefaults()
    {
        DomainConfig config = Read("kernel = 'vmlinuz'");
        Assert.Equal("guest", config.Name);
        Assert.Equal(128, config.MemoryMiB);
        Assert.Equal(128, config.MaxMemoryMiB);
        Assert.Equal((1, 1), (config.Vcpus, config.MaxVcpus));
        Assert.Equal((ShutdownAction.Destroy, ShutdownAction.Restart, ShutdownAction.Restart), (config.OnPoweroff, config.OnReboot, config.OnCrash));
        Assert.Equal((256, 0), (config.CpuWeight, config.CpuCap));
        Assert.Equal("", config.CommandLine);
        Assert.Null(config.Ramdisk);
        Assert.NotEqual(Guid.Empty, config.Uuid);
    }

    [Fact]
    public void Read_Full_TakesEachKey()
    {
        DomainConfig config = Read("""
            name = "deb" + "ian"
            kernel = "vmlinuz"; ramdisk = "initrd"
            root = "/dev/xvda1 ro"
            extra = "console=hvc0"
            memory = 256; maxmem = 512
            vcpus = 2; maxvcpus = 4
            on_poweroff = 'preserve'; on_reboot = 'rename-restart'; on_crash = 'coredump-destroy'; on_watchdog = 'restart'
            cpu_weight = 512; cpu_cap = 50
            cpus = ["0-1", "2,4-6,^5"]
            uuid = "6b3c1d1e-9a1f-4f0c-8a57-0c5a6f1f2d3e"
            builder = 'linux'; type = 'pv'
            disk = ['file:/i/a.img,xvda,w', '/i/b.qcow2,qcow2,xvdb,r']; vif = ['', 'bridge=lan0']
            max_event_channels = 4095; max_grant_frames = 32; max_maptrack_frames = 0; code_cache = 8
            """);
        Assert.Equal("debian", config.Name);
        Assert.Equal(Path.Combine(_folder.FullName, "vmlinuz"), config.Kernel);
        Assert.Equal(Path.Combine(_folder.FullName, "initrd"), config.Ramdisk);
        Assert.Equal("root=/dev/xvda1 ro console=hvc0", config.CommandLine);
        Assert.Equal((256, 512, 2, 4), (config.MemoryMiB, config.MaxMemoryMiB, config.Vcpus, config.MaxVcpus));
        Assert.Equal((ShutdownAction.Preserve, ShutdownAction.RenameRestart), (config.OnPoweroff, config.OnReboot));
        Assert.Equal((ShutdownAction.CoredumpDestroy, ShutdownAction.Restart), (config.OnCrash, config.OnWatchdog));
        Assert.Equal((512, 50), (config.CpuWeight, config.CpuCap));
        Assert.Equal([[0, 1], [2, 4, 6]], config.Affinity.Select(s => s.Order().ToArray()));
        Assert.Equal("6b3c1d1e-9a1f-4f0c-8a57-0c5a6f1f2d3e", config.Uuid.ToString());
        Assert.Equal(["/i/a.img", "/i/b.qcow2"], config.Disks.Select(d => d.Target));
        Assert.Equal([null, "lan0"], config.Vifs.Select(v => v.Bridge));
        Assert.Equal((4095, 32, 0), (config.MaxEventChannels, config.MaxGrantFrames, config.MaxMaptrackFrames));
        Assert.Equal(8, config.CodeCacheMiB);
    }

    [Fact]
    public void Read_Overrides_WinOverTheFile_TheLastOfTwoWins()
    {
        DomainConfig config = Read("kernel = 'vmlinuz'\nmemory = 128\nextra = 'a'", "memory=512", "memory=256", "extra=console=hvc0 quiet", "name=1e3");
        Assert.Equal(256, config.MemoryMiB);
        Assert.Equal("console=hvc0 quiet", config.CommandLine);
        Assert.Equal("1e3", config.Name);
    }

    [Fact]
    public void Read_Cmdline_ReplacesRootAndExtraAndSaysSo()
    {
        ConfigFile file = Parse("kernel='vmlinuz'\ncmdline='console=hvc0'\nextra='x'");
        Assert.Equal("console=hvc0", DomainConfigReader.Read(file).CommandLine);
        Assert.Contains("cfg:2: 'cmdline'", Assert.Single(file.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_KeyThatXenKnowsAndWeDoNotYet_Warns()
    {
        ConfigFile file = Parse("kernel = 'vmlinuz'\nvfb = ['vnc=1']\ndisk = []");
        DomainConfigReader.Read(file);
        Assert.Contains("cfg:2: 'vfb' is not supported yet", Assert.Single(file.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OwnVariable_IsNoKey()
    {
        DomainConfig config = Read("suffix = '-7'\n_unused = 1\nkernel = 'vmlinuz'\nname = 'vm' + suffix");
        Assert.Equal("vm-7", config.Name);
    }

    [Fact]
    public void Read_DigitsInQuotes_AreANumber_AsInXm() => Assert.Equal(512, Read("kernel = 'vmlinuz'\nmemory = '512'").MemoryMiB);

    [Theory]
    [InlineData("memroy = 512", "cfg:1: 'memroy' is no configuration key; did you mean 'memory'?")]
    [InlineData("\nkernal = 'x'", "cfg:2: 'kernal' is no configuration key; did you mean 'kernel'?")]
    [InlineData("quetzalcoatl = 1", "xmdomain.cfg(5)")]
    [InlineData("memory = 'lots'", "cfg:1: memory must be an integer from 64 to 65536 (MiB), and is a string ('lots').")]
    [InlineData("memory = [1]", "memory must be an integer from 64 to 65536 (MiB), and is a list ([1]).")]
    [InlineData("memory = 1.5", "and is a fraction (1.5).")]
    [InlineData("memory = True", "and is a truth value (True).")]
    [InlineData("memory = 63", "memory must be an integer from 64")]
    [InlineData("memory = 9223372036854775807", "memory must be an integer from 64")]
    [InlineData("vcpus = 0", "vcpus must be an integer from 1 to 32, and is an integer (0).")]
    [InlineData("vcpus = 33", "vcpus must be an integer from 1 to 32")]
    [InlineData("memory = 256; maxmem = 128", "maxmem must be at least memory, which is 256")]
    [InlineData("vcpus = 4; maxvcpus = 2", "maxvcpus must be at least vcpus, which is 4")]
    [InlineData("on_crash = 'explode'", "on_crash must be destroy, restart, rename-restart")]
    [InlineData("on_reboot = 1", "on_reboot must be a string, and is an integer (1).")]
    [InlineData("name = 7", "name must be a string")]
    [InlineData("name = '../x'", "name must be 1 to 64 letters")]
    [InlineData("name = '12'", "not digits alone")]
    [InlineData("name = ''", "name must be 1 to 64 letters")]
    [InlineData("cpu_weight = 0", "cpu_weight must be an integer from 1 to 65535")]
    [InlineData("cpus = '3-1'", "cpus must be processors like")]
    [InlineData("cpus = '0,^0'", "cpus must be processors like")]
    [InlineData("cpus = {}", "cpus must be processors like")]
    [InlineData("uuid = 'x'", "uuid must be a UUID")]
    [InlineData("builder = 'hvm'", "paravirtual guests only")]
    [InlineData("type = 'pvh'", "paravirtual guests only")]
    [InlineData("cpu_engine = 'magic'", "cpu_engine must be 'translator' or 'interpreter'")]
    [InlineData("cpuid = 1", "cpuid must be a string like \"host,avx2=0\"")]
    [InlineData("cpuid = [1]", "cpuid must be a string like")]
    [InlineData("cpuid = 'avx2=0'", "cfg:1: cpuid must begin with 'host', like \"host,avx2=0\", and begins with 'avx2=0'.")]
    [InlineData("cpuid = 'host,popcnt=0,popcont=0'", "cfg:1: cpuid is wrong in part 3, 'popcont=0', which names no processor feature: perhaps 'popcnt' is meant.")]
    [InlineData("cpuid = 'host,quetzalcoatl=0'", "names no processor feature: see xmdomain.cfg(5).")]
    [InlineData("cpuid = 'host,sse3'", "part 2, 'sse3', which is not name=0: write it like avx2=0.")]
    [InlineData("cpuid = 'host,sse3=2'", "whose value must be 0 (hide it), 1 (it must be there), or x, k, s (leave it).")]
    [InlineData("cpuid = 'host,avx512f=1'", "part 2, 'avx512f=1', which no guest can have on this host: remove it.")]
    [InlineData("cpuid = 'host,hypervisor=0'", "which paravirtual kernels rely on: remove it.")]
    [InlineData("cpuid = 'host,family=6'", "which is a number that is the same for all guests: remove it.")]
    [InlineData("cpuid = ['1-ecx']", "'1-ecx', which is not leaf:register=bits")]
    [InlineData("cpuid = ['1:ecx=0']", "'ecx=0', which is not a register with 32 characters of 0, 1, x, k and s")]
    [InlineData("cpuid = ['0:eax=0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']", "for eax of leaf 0x0, which lists no features")]
    [InlineData("cpuid = ['1:edx=x1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']", "for edx of leaf 0x1: a bit that is 1 there is a feature that no guest can have on this host; make it x.")]
    [InlineData("code_cache = 0", "code_cache must be an integer from 1 to 512 (MiB for each vCPU), and is an integer (0).")]
    [InlineData("code_cache = 513", "code_cache must be an integer from 1 to 512")]
    [InlineData("code_cache = 'much'", "code_cache must be an integer from 1 to 512")]
    [InlineData("kernel = 'missing'", "missing does not exist: correct the path.")]
    [InlineData("kernel = '../.cache/vmlinuz'", "run ./demo or scripts/fetch-guests")]
    [InlineData("kernel = '.'", "is a folder")]
    [InlineData("kernel = None", "no kernel is given: add a line like")]
    [InlineData("ramdisk = 'missing'", "ramdisk")]
    [InlineData("import os", "cfg:1:1: 'import' begins Python code")]
    public void Read_Wrong_IsOneSentenceWithPlaceCauseAndRemedy(string line, string expected)
    {
        string kernel = line.Contains("kernel", StringComparison.Ordinal) ? "" : "\nkernel = 'vmlinuz'";
        ToolstackException e = Assert.Throws<ToolstackException>(() => Read(line + kernel));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Theory]
    [InlineData("''")]
    [InlineData("[]")]
    [InlineData("'host'")]
    [InlineData("'host,avx512f=0,osxsave=1,sse3=x,sse2=1,popcnt=s'")]
    [InlineData("['1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,edx=xxxxxx1xxxxxxxxxxxxxxxxxxxxxxxxx']")]
    public void Read_CpuidThatHidesNothing_IsTheHostsProcessor(string value) =>
        Assert.Equal(CpuFeatures.None, Read($"kernel = 'vmlinuz'\ncpuid = {value}").HiddenCpuFeatures);

    [Theory]
    [InlineData("'host,sse4.2=0, popcnt=0,erms=0'")]
    [InlineData("['1:ecx=xxxxxxxx0xx0xxxxxxxxxxxxxxxxxxxx', '0x7,0:ebx=xxxxxxxxxxxxxxxxxxxxxx0xxxxxxxxx']")]
    public void Read_Cpuid_NamesWhatIsHidden(string value)
    {
        CpuFeatures expected = CpuFeatures.None with { Leaf1Ecx = Leaf1Ecx.Sse42 | Leaf1Ecx.Popcnt, Leaf7Ebx = Leaf7Ebx.Erms };
        Assert.Equal(expected, Read($"kernel = 'vmlinuz'\ncpuid = {value}").HiddenCpuFeatures);
    }

    [Fact]
    public void Read_CommandLineLongerThanXenPasses_IsRefused()
    {
        Read($"kernel = 'vmlinuz'\nextra = '{new string('x', 1023)}'");
        ToolstackException e = Assert.Throws<ToolstackException>(() => Read($"kernel = 'vmlinuz'\nextra = '{new string('x', 1024)}'"));
        Assert.Contains("1023 at most", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WrongOverride_NamesTheCommandLine()
    {
        ToolstackException e = Assert.Throws<ToolstackException>(() => Read("kernel = 'vmlinuz'", "memory=x"));
        Assert.StartsWith("command line: memory must be", e.Message, StringComparison.Ordinal);
        Assert.Contains("is not key=value", Assert.Throws<ToolstackException>(() => Read("kernel = 'vmlinuz'", "memory")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NoSuchFile_SaysSo()
    {
        string path = Path.Combine(_folder.FullName, "none.cfg");
        Assert.Contains("does not exist", Assert.Throws<ToolstackException>(() => ConfigFile.Load(path, [])).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<ToolstackException>(() => ConfigFile.Load(_folder.FullName, [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Example_NeedsOnlyItsFiles()
    {
        string cfg = Path.Combine(_folder.FullName, "debian.cfg");
        File.Copy(Path.Combine(Repository.Root, "examples", "debian.cfg"), cfg);
        ConfigFile file = ConfigFile.Load(cfg, ["kernel=" + Path.Combine(_folder.FullName, "vmlinuz"), "ramdisk=" + Path.Combine(_folder.FullName, "initrd")]);
        DomainConfig config = DomainConfigReader.Read(file);
        Assert.Equal(("debian", 256, "console=hvc0"), (config.Name, config.MemoryMiB, config.CommandLine));
        Assert.Empty(file.Warnings);
    }

    private DomainConfig Read(string text, params string[] overrides) => DomainConfigReader.Read(Parse(text, overrides));

    private ConfigFile Parse(string text, params string[] overrides) => ConfigFile.Parse(text, Path.Combine(_folder.FullName, "guest.cfg"), overrides);
}
