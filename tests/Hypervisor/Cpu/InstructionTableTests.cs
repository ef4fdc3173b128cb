using Iced.Intel;

namespace Xen.Cpu.Tests;

public sealed class InstructionTableTests
{
    [Fact]
    public void CodeCount_IsThatOfTheDecoder() => Assert.Equal(InstructionTable.CodeCount, (int)Enum.GetValues<Code>().Max() + 1);
}
