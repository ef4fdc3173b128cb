using System.Globalization;
using System.Text;
using Iced.Intel;
using Xunit.Abstractions;

namespace Xen.Cpu.Tests;

/// <summary>
/// Every instruction with a memory operand, where the operand is not (wholly) in memory it may use: the fault must have the processor's
/// error code and address, rip must be at the instruction, and nothing may have changed.
/// </summary>
public abstract class PreciseFaultTests(string engine, ITestOutputHelper output)
{
    private const int RoundsPerCode = 6, LowPage = 17, HighPage = 18;
    private const ulong Boundary = TestVcpu.Base + (HighPage * 4096);

    public static TheoryData<string> Classes => [.. SiliconClass.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Classes))]
    public void Fault_OfAMemoryOperand_IsPreciseAndChangesNothing(string name)
    {
        SiliconClass family = SiliconClass.All.Single(c => c.Name == name);
        using var vcpu = new TestVcpu(engine);
        var random = new SiliconRandom(7);
        var generator = new SiliconGenerator(random, (_, _) => { });
        var reports = new List<string>();
        int faults = 0;
        ulong slot = TestVcpu.CodeAddress;
        foreach (Code code in family.Codes())
        {
            foreach (Place place in Enum.GetValues<Place>())
            {
                for (int round = 0; round < RoundsPerCode; round++)
                {
                    ulong target = Target(place, code, random);
                    generator.Target = target;
                    if (generator.Make(code, slot, family) is not { } made || !IsSubject(made, target, place, out bool writes))
                        continue;
                    MaskFloatingPoint(ref made.Registers);
                    faults++;
                    string difference = Check(vcpu, made, place, writes);
                    if (difference.Length > 0)
                        reports.Add($"{made.Instruction} ({place}): {difference}");
                    break;
                }
            }
        }

        output.WriteLine($"{name}: {faults} faults");
        Assert.True(reports.Count == 0, string.Join('\n', reports.Take(20)));
    }

    /// <summary>Where the operand is, and what is wrong there.</summary>
    public enum Place
    {
        Absent,
        ReadOnly,
        FirstPartAbsent,
        SecondPartAbsent,
        SecondPartReadOnly,
    }

    private static ulong Target(Place place, Code code, SiliconRandom random)
    {
        int size = code.ToOpCode().MemorySize.GetSize();
        if (place is Place.Absent or Place.ReadOnly)
            return Boundary + 0x800 + (ulong)(size >= 16 ? 0 : random.Below(64));

        // What must be aligned is, if it can cross at all.
        return size > 16 ? Boundary - 16 : Boundary - (ulong)(1 + random.Below(Math.Max(1, size - 1)));
    }

    /// <summary>Whether the fault can be expected at all: the operand got where it was aimed at, and is accessed.</summary>
    private static bool IsSubject(SiliconInstance made, ulong target, Place place, out bool writes)
    {
        writes = false;
        Instruction instruction = made.Instruction;
        if (made.MemoryOperand < 0 || made.MemoryAddress != target || instruction.Mnemonic == Mnemonic.Xlatb)
            return false;

        // Element by element: other tests' subject.
        if (SiliconHostClasses.HasElements(instruction.Mnemonic))
            return false;

        // Elsewhere than where the address says.
        if (instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && instruction.Op1Kind == OpKind.Register)
            return false;
        OpAccess access = new InstructionInfoFactory().GetInfo(in instruction).GetOpAccess(made.MemoryOperand);
        if (access is OpAccess.None or OpAccess.NoMemAccess)
            return false;
        writes = access is OpAccess.Write or OpAccess.ReadWrite or OpAccess.CondWrite or OpAccess.ReadCondWrite;
        if (place is Place.ReadOnly or Place.SecondPartReadOnly && !writes)
            return false;
        return place is Place.Absent or Place.ReadOnly || instruction.MemorySize.GetSize() > 1;
    }

    /// <summary>An x87 exception that is not masked, or waits, would come before the access.</summary>
    private static void MaskFloatingPoint(ref RegisterFile r)
    {
        r.Fcw |= 0x3F;
        r.Fsw &= 0x7F00;
    }

    private static string Check(TestVcpu vcpu, SiliconInstance made, Place place, bool writes)
    {
        vcpu.Map(LowPage, writable: true, present: place != Place.FirstPartAbsent);
        vcpu.Map(HighPage, writable: place is not (Place.ReadOnly or Place.SecondPartReadOnly), present: place is not (Place.Absent or Place.SecondPartAbsent));
        vcpu.State.FlushTlb();
        vcpu.NoteCodeWrite(TestVcpu.CodeAddress);
        vcpu.Load([.. made.Bytes, 0x0F, 0x05]); // SYSCALL: flags are alive behind the instruction
        vcpu.State.Registers = made.Registers;
        byte[] low = vcpu.At(Boundary - 4096).ToArray(), high = vcpu.At(Boundary).ToArray();
        CpuExit exit = vcpu.Run();

        if (vcpu.LosesDeadFlags)
        {
            ulong dead = SiliconDifferences.Changed(in made.Instruction);
            vcpu.State.Registers.Rflags = (vcpu.State.Registers.Rflags & ~dead) | (made.Registers.Rflags & dead);
        }

        var text = new StringBuilder();
        uint error = 4u | (writes ? 2u : 0) | (place is Place.ReadOnly or Place.SecondPartReadOnly ? 1u : 0);
        ulong address = place is Place.SecondPartAbsent or Place.SecondPartReadOnly ? Boundary : made.MemoryAddress;
        bool misaligned = exit == CpuExit.Exception(13) && made.Instruction.MemorySize.GetSize() >= 16 && (made.MemoryAddress & (ulong)(made.Instruction.MemorySize.GetSize() - 1)) != 0;
        if (exit != CpuExit.Exception(14, error, address) && !misaligned)
            text.Append(CultureInfo.InvariantCulture, $"{exit} instead of error {error} at {address:x}; ");
        SiliconDifferences.Registers(text, in made.Instruction, in vcpu.State.Registers, in made.Registers, x87: true);
        if (vcpu.State.Registers.Rip != made.Registers.Rip)
            text.Append(CultureInfo.InvariantCulture, $"rip {vcpu.State.Registers.Rip:x}; ");
        if (!vcpu.At(Boundary - 4096).SequenceEqual(low) || !vcpu.At(Boundary).SequenceEqual(high))
            text.Append("memory changed; ");
        return text.ToString();
    }
}
