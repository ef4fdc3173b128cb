using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Makes random programs that end: loops have counters, branches go forward, functions are called from the main part only.</summary>
internal sealed partial class SequenceGenerator
{
    private const int MaxFunctions = 3;
    private static readonly int[] PointerCandidates = [3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    private readonly SiliconRandom _random;
    private readonly SequenceProgram _program;
    private readonly SequenceOperands _operands;
    private readonly int _counter;
    private readonly List<SequenceUnit> _functions = [];
    private readonly SequenceUnit _end = new() { IsNeeded = true };
    private readonly List<(SequenceUnit Unit, int Distance)> _forward = [];

    private SequenceGenerator(ulong seed)
    {
        // Seeds one after the other would give the same values, a little later.
        _random = new SiliconRandom(seed * 0xD134_2543_DE82_EF95);
        int[] roles = Shuffle(PointerCandidates);
        int[] pointers = roles[..5], small = roles[5..7];
        _counter = roles[7..].First(static number => number is not (6 or 7));
        bool itself = _random.OneIn(12);
        int codePage = SequenceMachine.FirstCode + ((int)(seed % SequenceMachine.Slots) * SequenceMachine.CodePages);
        int offset = itself || _random.OneIn(2) ? _random.Below(1500) : 4096 - _random.Below(240);
        ulong page = SequenceMachine.AddressOf(codePage);
        if (SequenceMachine.SharesAddress(seed))
        {
            // Many programs of a batch begin at the same address, each in frames of its own.
            page = SequenceMachine.AddressOf(SequenceMachine.FirstCode);
            offset = itself ? 64 : _random.Pick(0, 64, 4096 - 32, 4096 - 64, 4096 - 67);
        }

        _program = new SequenceProgram
        {
            Seed = seed,
            CodePage = codePage,
            Address = page + (ulong)offset + (_random.OneIn(4) ? SequenceMachine.High : 0),
            WritesItself = itself,
            Pointers = pointers,
            Small = small,
        };
        _operands = new SequenceOperands(_random, pointers, small, _counter, _program.Address & SequenceMachine.High);
    }

    /// <summary>The program of a seed.</summary>
    public static SequenceProgram Make(ulong seed)
    {
        var generator = new SequenceGenerator(seed);
        generator.MakeAll();
        return generator._program;
    }

    private void MakeAll()
    {
        for (int i = _random.Below(MaxFunctions); i > 0; i--)
            _functions.Add(new SequenceUnit());
        int length = 4 + _random.Below(37);
        while (_program.InstructionCount < length)
        {
            if (_random.OneIn(14))
                AddLoop();
            else
                Append(MakeUnit(calls: true));
        }

        _end.Add(Instruction.Create(Code.Syscall));
        Append(_end);
        foreach (SequenceUnit function in _functions)
        {
            for (int i = _random.Below(5); i >= 0; i--)
            {
                SequenceUnit body = MakeUnit(calls: false);
                function.Instructions.AddRange(body.Instructions);
            }

            function.Add(_random.OneIn(6) ? Instruction.Create(Code.Retnq_imm16, 8 * _random.Below(3)) : Instruction.Create(Code.Retnq));
            _program.Units.Add(function);
        }

        ResolveForward();
        DefineFlags();
    }

    private void Append(SequenceUnit unit) => _program.Units.Add(unit);

    private void AddLoop()
    {
        var start = new SequenceUnit();
        start.Add(Instruction.Create(Code.Mov_r32_imm32, Register.EAX + _counter, 2 + _random.Below(4)));
        Append(start);
        SequenceUnit target = MakeUnit(calls: true);
        Append(target);
        for (int i = _random.Below(5); i > 0; i--)
            Append(MakeUnit(calls: true));
        var back = new SequenceUnit();
        Register counter = SequenceOperands.Wide(_counter);
        back.Add(_random.Below(3) switch
        {
            0 => Instruction.Create(Code.Dec_rm64, counter),
            1 => Instruction.Create(Code.Sub_rm64_imm8, counter, 1),
            _ => Instruction.Create(Code.Dec_rm32, Register.EAX + _counter),
        });

        // Flags stay alive over an access.
        if (_random.OneIn(2))
            back.Add(Move());
        back.Add(Instruction.CreateBranch(Code.Jg_rel8_64, 0), target);
        Append(back);
    }

    private SequenceUnit MakeUnit(bool calls)
    {
        var unit = new SequenceUnit();
        switch (_random.Below(40))
        {
            case <= 4:
                AddPointerMotion(unit);
                break;
            case <= 8:
                AddStack(unit);
                break;
            case 9 or 10 when calls:
                AddForward(unit);
                break;
            case 11 or 12 when calls && _functions.Count > 0:
                AddCall(unit);
                break;
            case 13:
                AddString(unit);
                break;
            case 14:
                AddDivision(unit);
                break;
            case 15:
                unit.Add(Instruction.Create(Code.Mov_r32_imm32, Register.EAX + _random.Pick<int>(_program.Small), _random.OneIn(3) ? _random.Below(700) : _random.Below(16)));
                break;
            case 16 when _random.OneIn(4):
                unit.Add(_random.OneIn(2) ? Instruction.Create(Code.Syscall) : Instruction.Create(_random.Pick(Code.Mfence, Code.Lfence, Code.Sfence, Code.Pause, Code.Nopd)));
                break;
            case 17:
                AddSuccessfulExchange(unit);
                break;
            case 20 when CpuFeatures.OfHost.Has(Leaf7Ebx.Avx2):
                AddExtended(unit);
                break;
            case 18 or 19 when _program.WritesItself && calls:
                AddSelfModification(unit);
                break;
            default:
                unit.Add(Plain());
                break;
        }

        return unit;
    }

    private Instruction Plain()
    {
        while (true)
        {
            if (_operands.Make(SequenceCodes.Pick(_random)) is { } made)
                return made;
        }
    }

    /// <summary>A move that leaves the flags alone, mostly from or to memory.</summary>
    private Instruction Move()
    {
        while (true)
        {
            if (_operands.Make(_random.Pick(Code.Mov_r64_rm64, Code.Mov_rm64_r64, Code.Mov_rm8_r8, Code.Mov_r8_rm8, Code.Mov_rm32_imm32, Code.Movzx_r32_rm16, Code.Lea_r64_m, Code.Movups_xmm_xmmm128, Code.Movaps_xmmm128_xmm)) is { } made)
                return made;
        }
    }

    private void AddForward(SequenceUnit unit)
    {
        Instruction branch = Instruction.CreateBranch(_random.OneIn(5) ? Code.Jmp_rel8_64 : Code.Jo_rel8_64 + (3 * _random.Below(16)), 0);
        if (_random.OneIn(10))
        {
            // By way of a register.
            Register to = SequenceOperands.Wide(_random.Pick(0, 1, 2));
            unit.Add(Instruction.Create(Code.Lea_r64_m, to, new MemoryOperand(Register.RIP, Register.None, 1, 0, 8)));
            branch = Instruction.Create(Code.Jmp_rm64, to);
        }

        unit.Add(in branch);
        _forward.Add((unit, 1 + _random.Below(5)));
    }

    private void ResolveForward()
    {
        foreach ((SequenceUnit unit, int distance) in _forward)
        {
            int at = Math.Min(_program.Units.IndexOf(unit) + distance, _program.Units.IndexOf(_end));
            for (int i = 0; i < unit.Instructions.Count; i++)
                unit.Instructions[i] = unit.Instructions[i] with { Target = _program.Units[at] };
        }
    }

    private void AddCall(SequenceUnit unit)
    {
        SequenceUnit function = _functions[_random.Below(_functions.Count)];
        Register to = SequenceOperands.Wide(_random.Pick(0, 1, 2));
        switch (_random.Below(4))
        {
            case 0:
                unit.Add(Instruction.Create(Code.Lea_r64_m, to, new MemoryOperand(Register.RIP, Register.None, 1, 0, 8)), function);
                unit.Add(Instruction.Create(Code.Call_rm64, to), function);
                break;
            case 1:
                var place = new MemoryOperand(SequenceOperands.Wide(_operands.Pointer()), Register.None, 1, 8 * (_random.Below(16) - 8), 8);
                unit.Add(Instruction.Create(Code.Lea_r64_m, to, new MemoryOperand(Register.RIP, Register.None, 1, 0, 8)), function);
                unit.Add(Instruction.Create(Code.Mov_rm64_r64, place, to));
                unit.Add(Instruction.Create(Code.Call_rm64, place), function);
                break;
            default:
                unit.Add(Instruction.CreateBranch(Code.Call_rel32_64, 0), function);
                break;
        }
    }

    /// <summary>Puts a comparison before every instruction that would read an undefined flag.</summary>
    private void DefineFlags()
    {
        while (true)
        {
            List<SequenceInstruction> flat = _program.Flatten();
            int reader = SequenceFlags.FirstReader(flat);
            if (reader < 0)
                return;
            foreach (SequenceUnit unit in _program.Units)
            {
                if (reader < unit.Instructions.Count)
                {
                    Instruction definer = Instruction.Create(Code.Cmp_rm64_r64, SequenceOperands.Wide(_random.Below(16)), SequenceOperands.Wide(_random.Below(16)));
                    unit.Instructions.Insert(reader, new SequenceInstruction { Code = definer });
                    break;
                }

                reader -= unit.Instructions.Count;
            }
        }
    }

    private int[] Shuffle(int[] numbers)
    {
        int[] shuffled = [.. numbers];
        for (int i = shuffled.Length - 1; i > 0; i--)
        {
            int other = _random.Below(i + 1);
            (shuffled[i], shuffled[other]) = (shuffled[other], shuffled[i]);
        }

        return shuffled;
    }
}
