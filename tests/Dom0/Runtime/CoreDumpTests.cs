using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Iced.Intel;
using Xen.Abi;
using Xen.Core;
using Xen.GuestKit.Assembly;
using Xen.Toolstack;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>Core dumps: what is in the file, and when one is written.</summary>
public sealed class CoreDumpTests : IDisposable
{
    /// <summary>What the guest has in r12 when it waits, and at the beginning of its own page.</summary>
    private const ulong Mark = 0x1234_5678_9ABC_DEF0;

    private readonly TestMachine _machine = new();
    private ulong _place;

    private string File => Path.Combine(_machine.Folder, "core");

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Dump_HasXensSections()
    {
        IRunningDomain domain = StartMarked();
        Assert.Equal(File, domain.DumpCore(File, new CoreDumpOptions()));
        var core = new CoreFile(File);

        Assert.Equal(["", ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info", ".note.prstatus", ".xen_p2m", ".xen_pages"], core.Sections.Select(static s => s.Name));
        List<(string Name, uint Type, byte[] Description)> notes = core.Notes(".note.Xen");
        Assert.Equal([0x2000000u, 0x2000001u, 0x2000002u, 0x2000003u], notes.Select(static note => note.Type));
        Assert.All(notes, static note => Assert.Equal("Xen", note.Name));
        Assert.Equal([0xF00FEBEDul, 2, 64 << 8, 4096], Words(notes[1].Description));
        Assert.Equal(1280, notes[2].Description.Length);
        Assert.Equal([4ul, 17], Words(notes[2].Description)[..2]);
        Assert.Equal([1ul], Words(notes[3].Description));

        Domain inside = _machine.Find(domain);
        Assert.Equal(_machine.Machine.Memory.Frame(inside.SharedInfoFrame).ToArray(), core.Read(".xen_shared_info"));
        VcpuGuestContext[] contexts = [.. MemoryMarshal.Cast<byte, VcpuGuestContext>(core.Read(".xen_prstatus"))];
        Assert.Equal(2, contexts.Length);
        Assert.Equal(Mark, contexts[0].UserRegs.R12);
        Assert.Equal(inside.Vcpus[0].State.KernelRoot.Address, contexts[0].Ctrlreg[3]);
        Assert.Equal(VcpuGuestContextFlags.InKernel | VcpuGuestContextFlags.Online | VcpuGuestContextFlags.I387Valid, contexts[0].Flags);
        Assert.Equal(0ul, contexts[1].UserRegs.Rip);
    }

    [Fact]
    public void Dump_HasEveryPage_AndHolesWhereTheyAreZero()
    {
        IRunningDomain domain = StartMarked();
        domain.DumpCore(File, new CoreDumpOptions());
        var core = new CoreFile(File);
        ulong[] p2m = Words(core.Read(".xen_p2m"));
        byte[] pages = core.Read(".xen_pages");

        Assert.Equal(64 << 8, p2m.Length / 2);
        for (int i = 0; i < p2m.Length / 2; i++)
        {
            // Its memory was given in order, and it has changed nothing.
            Assert.Equal((ulong)i, p2m[i * 2]);
            Assert.True(_machine.Machine.Memory.Frame(new Mfn(p2m[(i * 2) + 1])).SequenceEqual(pages.AsSpan(i * Page.Size, Page.Size)), $"page {i}");
        }

        Assert.InRange(AllocatedBytes(File), 1, 4 << 20);
    }

    [Fact]
    public void Dump_CanBeReadByTheKernelsAddresses()
    {
        StartMarked().DumpCore(File, new CoreDumpOptions());
        var core = new CoreFile(File);
        (ulong address, ulong offset, ulong size) = core.Loads.Single(load => load.Address <= _place && _place < load.Address + load.Size);
        Assert.Equal(Mark, core.ReadUInt64(offset + (_place - address)));
        Assert.True(size >= Page.Size);
        (string name, uint type, byte[] status) = core.Notes(".note.prstatus")[0];
        Assert.Equal(("CORE", 1u, 336), (name, type, status.Length));

        // r12 is the fourth register.
        Assert.Equal(Mark, BinaryPrimitives.ReadUInt64LittleEndian(status.AsSpan(112 + (3 * 8))));
    }

    [Fact]
    public void Dump_IsReadByOtherTools()
    {
        StartMarked().DumpCore(File, new CoreDumpOptions());
        if (Tool("readelf", "-h", "-S", "-l", "-n", "-W", File) is { } listing)
        {
            Assert.Contains("CORE (Core file)", listing, StringComparison.Ordinal);
            Assert.Contains(".xen_pages", listing, StringComparison.Ordinal);
            Assert.Contains("NT_PRSTATUS", listing, StringComparison.Ordinal);
            Assert.DoesNotContain("Warning", listing, StringComparison.OrdinalIgnoreCase);
        }

        if (Tool("gdb", "-nx", "-batch", "-ex", "info threads", "-ex", "info registers r12", "-ex", $"x/1gx 0x{_place:x}", "--core", File) is { } session)
        {
            Assert.Contains($"0x{Mark:x}", session, StringComparison.Ordinal);
            Assert.Contains($"0x{_place:x}:\t0x{Mark:x}", session, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Dump_PausesTheDomain_UnlessItIsLive_AndThenItGoesOn()
    {
        IRunningDomain domain = StartMarked();
        domain.DumpCore(File, new CoreDumpOptions(Live: true));
        domain.DumpCore(File, new CoreDumpOptions());
        Assert.Equal("idle", domain.Status.StateText);
        Assert.Empty(Directory.EnumerateFiles(_machine.Folder, "*.part"));
    }

    [Fact]
    public void Dump_CanEndOrResetTheDomain()
    {
        IRunningDomain domain = StartMarked();
        int id = domain.Id;
        domain.DumpCore(File, new CoreDumpOptions(Reset: true));
        Assert.Equal(id + 1, domain.Id);
        Assert.Contains("not both", TestMachine.Refusal(() => domain.DumpCore(File, new CoreDumpOptions(Crash: true, Reset: true))), StringComparison.Ordinal);
        domain.DumpCore(File, new CoreDumpOptions(Crash: true));
        Assert.True(domain.Completion.IsCompleted);
    }

    [Fact]
    public void Dump_ThatCannotBeWritten_LeavesNothing_AndTheDomainRuns()
    {
        IRunningDomain domain = StartMarked();
        string nowhere = Path.Combine(_machine.Folder, "none", "core");
        Assert.Contains("cannot be written to " + nowhere, TestMachine.Refusal(() => domain.DumpCore(nowhere, new CoreDumpOptions())), StringComparison.Ordinal);
        Assert.Contains("is no regular file", TestMachine.Refusal(() => domain.DumpCore(_machine.Folder, new CoreDumpOptions())), StringComparison.Ordinal);
        Assert.Equal("idle", domain.Status.StateText);
    }

    [Theory]
    [InlineData(ShutdownAction.CoredumpDestroy)]
    [InlineData(ShutdownAction.CoredumpRestart)]
    public async Task Crash_WithACoredumpAction_WritesOneFirst(ShutdownAction action)
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web", static guest => guest.ShutDown(Abi.ShutdownReason.Crash)) with { OnCrash = action });
        int id = domain.Id;
        await domain.Completion.WaitAsync(TestMachine.Patience);

        // A domain that crashes at once is restarted once.
        int lives = action == ShutdownAction.CoredumpDestroy ? 1 : 2;
        string[] cores = [.. Directory.EnumerateFiles(_machine.DumpFolder).Select(Path.GetFileName).Cast<string>().Order()];
        Assert.Equal(lives, cores.Length);
        for (int life = 0; life < lives; life++)
            Assert.Matches($@"^\d{{4}}-\d{{4}}-\d{{4}}\.\d\d-web\.{id + life}\.core$", cores[life]);
        Assert.Equal(64 << 20, (int)new CoreFile(Path.Combine(_machine.DumpFolder, cores[0])).Sections[^1].Size);
    }

    [Fact]
    public void Dump_OfTablesThatReferToEachOther_Ends()
    {
        // Every slot of a table refers to the same table below, and so on down: far more addresses than anybody can list.
        IRunningDomain domain = _machine.Toolstack.CreateDomain(_machine.Config("maze"));
        Domain inside = _machine.Find(domain);
        Mfn table = inside.Vcpus[0].State.KernelRoot;
        List<(Mfn Table, byte[] Before)> changed = [];
        for (int level = 4; level >= 1; level--)
        {
            Span<ulong> entries = MemoryMarshal.Cast<byte, ulong>(_machine.Machine.Memory.Frame(table));
            changed.Add((table, _machine.Machine.Memory.Frame(table).ToArray()));
            int first = level == 4 ? 272 : 0;
            ulong entry = entries[first..].ToArray().First(static e => (e & 1) != 0);
            entries[first..].Fill(entry);
            table = new Mfn((entry & 0x000F_FFFF_FFFF_F000) >> Page.Shift);
        }

        Assert.InRange(KernelMappings.Find(inside, inside.ListPages()).Count, 1, 60_000);

        foreach ((Mfn frame, byte[] before) in changed)
            before.CopyTo(_machine.Machine.Memory.Frame(frame));
    }

    /// <summary>A domain of two vCPUs whose first has written the mark, and waits.</summary>
    private IRunningDomain StartMarked()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web", Marked) with { MaxVcpus = 2 });
        TestMachine.WaitFor(() => domain.Status.StateText == "idle", "waiting");
        return domain;
    }

    private void Marked(GuestAssembler guest)
    {
        _place = guest.ReservePages();
        guest.Code.mov(r12, Mark);
        guest.Code.mov(rax, _place);
        guest.Code.mov(__[rax], r12);
        TestMachine.Idle(guest);
    }

    private static ulong[] Words(byte[] bytes) => [.. MemoryMarshal.Cast<byte, ulong>(bytes)];

    private static long AllocatedBytes(string file) => 512 * long.Parse(Tool("stat", "-c", "%b", file)!, System.Globalization.CultureInfo.InvariantCulture);

    /// <returns>What a program prints; null if the host does not have it.</returns>
    private static string? Tool(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return output + errors.Result;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>A core file, read by the rules of ELF.</summary>
    private sealed class CoreFile
    {
        private readonly byte[] _bytes;

        public CoreFile(string path)
        {
            _bytes = System.IO.File.ReadAllBytes(path);
            int sections = (int)ReadUInt64(40), count = Short(60), names = sections + (Short(62) * 64);
            int table = (int)ReadUInt64((ulong)names + 24);
            for (int i = 0; i < count; i++)
            {
                ulong at = (ulong)(sections + (i * 64));
                int name = table + (int)BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan((int)at));
                Sections.Add((Encoding.ASCII.GetString(_bytes, name, Array.IndexOf(_bytes, (byte)0, name) - name), ReadUInt64(at + 24), ReadUInt64(at + 32)));
            }

            for (int i = 0; i < Short(56); i++)
            {
                ulong at = ReadUInt64(32) + (ulong)(i * 56);
                if (_bytes[at] == 1)
                    Loads.Add((ReadUInt64(at + 16), ReadUInt64(at + 8), ReadUInt64(at + 32)));
            }
        }

        public List<(string Name, ulong Offset, ulong Size)> Sections { get; } = [];

        public List<(ulong Address, ulong Offset, ulong Size)> Loads { get; } = [];

        public byte[] Read(string section)
        {
            (_, ulong offset, ulong size) = Sections.Single(s => s.Name == section);
            return _bytes[(int)offset..(int)(offset + size)];
        }

        public ulong ReadUInt64(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan((int)offset));

        public List<(string Name, uint Type, byte[] Description)> Notes(string section)
        {
            ReadOnlySpan<byte> rest = Read(section);
            List<(string Name, uint Type, byte[] Description)> notes = [];
            while (!rest.IsEmpty)
            {
                int name = (int)BinaryPrimitives.ReadUInt32LittleEndian(rest), size = (int)BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
                int body = 12 + ((name + 3) & ~3);
                notes.Add((Encoding.ASCII.GetString(rest.Slice(12, name - 1)), BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]), rest.Slice(body, size).ToArray()));
                rest = rest[(body + ((size + 3) & ~3))..];
            }

            return notes;
        }

        private int Short(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset));
    }
}
