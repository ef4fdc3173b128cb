using Xunit.Abstractions;

namespace Xen.Cpu.Tests;

// Every suite about what guest code does runs on both engines.

public sealed class EngineTestsOnInterpreter() : EngineTests(CpuEngines.Interpreter);

public sealed class EngineTestsOnTranslator() : EngineTests(CpuEngines.Translator);

public sealed class IntegerTestsOnInterpreter() : IntegerTests(CpuEngines.Interpreter);

public sealed class IntegerTestsOnTranslator() : IntegerTests(CpuEngines.Translator);

public sealed class VectorTestsOnInterpreter() : VectorTests(CpuEngines.Interpreter);

public sealed class VectorTestsOnTranslator() : VectorTests(CpuEngines.Translator);

public sealed class X87TestsOnInterpreter() : X87Tests(CpuEngines.Interpreter);

public sealed class X87TestsOnTranslator() : X87Tests(CpuEngines.Translator);

public sealed class SmpTestsOnInterpreter() : SmpTests(CpuEngines.Interpreter);

public sealed class SmpTestsOnTranslator() : SmpTests(CpuEngines.Translator);

public sealed class SelfModifyingCodeTestsOnInterpreter() : SelfModifyingCodeTests(CpuEngines.Interpreter);

public sealed class SelfModifyingCodeTestsOnTranslator() : SelfModifyingCodeTests(CpuEngines.Translator);

public sealed class CodeLinkTestsOnInterpreter() : CodeLinkTests(CpuEngines.Interpreter);

public sealed class CodeLinkTestsOnTranslator() : CodeLinkTests(CpuEngines.Translator);

public sealed class SmpLitmusTestsOnInterpreter(ITestOutputHelper output) : SmpLitmusTests(CpuEngines.Interpreter, output);

public sealed class SmpLitmusTestsOnTranslator(ITestOutputHelper output) : SmpLitmusTests(CpuEngines.Translator, output);

public sealed class PreciseFaultTestsOnInterpreter(ITestOutputHelper output) : PreciseFaultTests(CpuEngines.Interpreter, output);

public sealed class PreciseFaultTestsOnTranslator(ITestOutputHelper output) : PreciseFaultTests(CpuEngines.Translator, output);

// What one vCPU does, on both at once.

public sealed class EngineTestsInLockstep() : EngineTests(CpuEngines.Lockstep);

public sealed class IntegerTestsInLockstep() : IntegerTests(CpuEngines.Lockstep);

public sealed class VectorTestsInLockstep() : VectorTests(CpuEngines.Lockstep);

public sealed class X87TestsInLockstep() : X87Tests(CpuEngines.Lockstep);

public sealed class SelfModifyingCodeTestsInLockstep() : SelfModifyingCodeTests(CpuEngines.Lockstep);

public sealed class CodeLinkTestsInLockstep() : CodeLinkTests(CpuEngines.Lockstep);

/// <summary>One at a time: the guest's addresses are mapped in this process.</summary>
[Collection("the host's processor")]
public sealed class SiliconTestsOnInterpreter(ITestOutputHelper output) : SiliconTests(CpuEngines.Interpreter, output);

/// <summary>One at a time: the guest's addresses are mapped in this process.</summary>
[Collection("the host's processor")]
public sealed class SiliconTestsOnTranslator(ITestOutputHelper output) : SiliconTests(CpuEngines.Translator, output);

public sealed class ExtendedStateTestsOnInterpreter() : ExtendedStateTests(CpuEngines.Interpreter);

public sealed class ExtendedStateTestsOnTranslator() : ExtendedStateTests(CpuEngines.Translator);

public sealed class XsaveTestsOnInterpreter() : XsaveTests(CpuEngines.Interpreter);

public sealed class XsaveTestsOnTranslator() : XsaveTests(CpuEngines.Translator);
