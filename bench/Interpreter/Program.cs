using System.Globalization;
using Xen.Cpu;
using Xen.Interpreter.Bench;
using Xen.Cpu.Tests;

// Millions of guest instructions per second of the interpreter, on small programs of different kinds. Processor time counts, and the
// best of some runs.
// Arguments: names of programs; none means all.
double logarithms = 0;
int count = 0;
foreach ((string name, Action<Iced.Intel.Assembler> program) in Programs.All)
{
    if (args.Length > 0 && !args.Contains(name))
        continue;
    double best = 0;
    ulong result = 0;
    for (int round = 0; round < 4; round++)
    {
        using var vcpu = new TestVcpu(CpuEngines.Interpreter);
        vcpu.Assemble(program);
        TimeSpan start = Environment.CpuUsage.TotalTime;
        CpuExit exit;
        do
            exit = vcpu.Run(10_000_000);
        while (exit.Reason == CpuExitReason.BudgetSpent);
        double seconds = (Environment.CpuUsage.TotalTime - start).TotalSeconds;
        if (exit.Reason != CpuExitReason.Hypercall)
        {
            Console.Error.WriteLine($"{name}: {exit} at {vcpu.State.Registers.Rip:x}");
            return 1;
        }

        best = Math.Max(best, vcpu.Engine.InstructionsRetired!.Value / seconds / 1e6);
        result = vcpu.State.Registers.Gpr[0];
    }

    logarithms += Math.Log(best);
    count++;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-10} {best,8:F0} MIPS   (result {result:x})"));
}

Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"geometric mean {Math.Exp(logarithms / count):F0} MIPS"));
return 0;
