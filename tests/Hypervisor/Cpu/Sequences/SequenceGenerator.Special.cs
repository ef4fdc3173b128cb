using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Units with instructions that want their operands prepared.</summary>
internal sealed partial class SequenceGenerator
{
    private void AddString(SequenceUnit unit)
    {
        bool stores = _random.OneIn(2), backward = _random.OneIn(8);
        unit.Add(Address(Register.RDI));
        if (!stores)
            unit.Add(Address(Register.RSI));
        unit.Add(Instruction.Create(Code.Mov_r32_imm32, Register.ECX, _random.OneIn(8) ? _random.Below(600) : _random.Below(12)));
        if (backward)
            unit.Add(Instruction.Create(Code.Std));
        Instruction code = stores
            ? _random.Below(4) switch
            {
                0 => Instruction.CreateStosb(64, RepPrefixKind.Repe),
                1 => Instruction.CreateStosw(64, RepPrefixKind.Repe),
                2 => Instruction.CreateStosd(64, RepPrefixKind.Repe),
                _ => Instruction.CreateStosq(64, RepPrefixKind.Repe),
            }
            : _random.Below(6) switch
            {
                0 => Instruction.CreateMovsb(64, Register.None, RepPrefixKind.Repe),
                1 => Instruction.CreateMovsw(64, Register.None, RepPrefixKind.Repe),
                2 => Instruction.CreateMovsd(64, Register.None, RepPrefixKind.Repe),
                3 => Instruction.CreateMovsq(64, Register.None, RepPrefixKind.None),
                4 => Instruction.CreateCmpsb(64, Register.None, RepPrefixKind.Repe),
                _ => Instruction.CreateMovsq(64, Register.None, RepPrefixKind.Repe),
            };
        unit.Add(in code);
        if (backward)
            unit.Add(Instruction.Create(Code.Cld));
    }

    private Instruction Address(Register to) =>
        Instruction.Create(Code.Lea_r64_m, to, new MemoryOperand(SequenceOperands.Wide(_random.Pick<int>(_program.Pointers)), Register.None, 1, (_random.Below(32) - 16) * 8, 8));

    private void AddDivision(SequenceUnit unit)
    {
        if (!_random.OneIn(6))
        {
            unit.Add(_random.Below(3) switch
            {
                0 => Instruction.Create(Code.Cqo),
                1 => Instruction.Create(Code.Cdq),
                _ => Instruction.Create(Code.Mov_r32_imm32, Register.EDX, _random.Below(3)),
            });
        }

        while (true)
        {
            if (_operands.Make(_random.Pick(Code.Div_rm64, Code.Div_rm32, Code.Idiv_rm64, Code.Idiv_rm32, Code.Div_rm8, Code.Idiv_rm16)) is not { } made)
                continue;
            unit.Add(in made);
            return;
        }
    }

    private void AddSuccessfulExchange(SequenceUnit unit)
    {
        Instruction exchange = Memory(_random.Pick(Code.Cmpxchg_rm64_r64, Code.Cmpxchg_rm32_r32, Code.Cmpxchg_rm8_r8));
        exchange.SetOpRegister(1, exchange.Code switch
        {
            Code.Cmpxchg_rm64_r64 => Register.RAX + _operands.Any(),
            Code.Cmpxchg_rm32_r32 => Register.EAX + _operands.Any(),
            _ => _random.Pick(Register.AH, Register.BH, Register.CL, Register.R10L, Register.R13L),
        });
        if (!_operands.CanEncode(in exchange))
            exchange.SetOpRegister(1, Register.CL);
        exchange.HasLockPrefix = _random.OneIn(2);
        Instruction load = exchange;
        load.HasLockPrefix = false;
        load.Code = Code.Mov_r64_rm64;
        load.Op0Kind = OpKind.Register;
        load.Op0Register = Register.RAX;
        load.Op1Kind = OpKind.Memory;
        if (exchange.MemoryBase.GetFullRegister() != Register.RAX && exchange.MemoryIndex.GetFullRegister() != Register.RAX)
            unit.Add(in load);
        unit.Add(in exchange);
    }

    /// <summary>Registers of 256 bits in use or not, gathers and masked moves with masks of all kinds.</summary>
    private void AddExtended(SequenceUnit unit)
    {
        switch (_random.Below(4))
        {
            case 0:
                unit.Add(Instruction.Create(_random.OneIn(4) ? Code.VEX_Vzeroall : Code.VEX_Vzeroupper));
                break;
            case 1:
                AddGather(unit);
                break;
            default:
                AddMaskedMove(unit);
                break;
        }
    }

    private void AddMaskedMove(SequenceUnit unit)
    {
        Register first = _random.OneIn(2) ? Register.XMM0 : Register.YMM0;
        bool wide = first == Register.YMM0, store = _random.OneIn(2);
        Code code = (store, wide) switch
        {
            (true, true) => _random.Pick(Code.VEX_Vpmaskmovd_m256_ymm_ymm, Code.VEX_Vmaskmovpd_m256_ymm_ymm),
            (true, false) => _random.Pick(Code.VEX_Vpmaskmovq_m128_xmm_xmm, Code.VEX_Vmaskmovps_m128_xmm_xmm),
            (false, true) => _random.Pick(Code.VEX_Vpmaskmovd_ymm_ymm_m256, Code.VEX_Vmaskmovpd_ymm_ymm_m256),
            (false, false) => _random.Pick(Code.VEX_Vpmaskmovq_xmm_xmm_m128, Code.VEX_Vmaskmovps_xmm_xmm_m128),
        };
        var move = default(Instruction);
        move.Code = code;
        move.SetOpRegister(store ? 2 : 0, first + _random.Below(16));
        move.SetOpRegister(1, first + _random.Below(16));
        _operands.SetMemory(ref move, store ? 0 : 2, wide ? 32 : 16);
        if (_operands.CanEncode(in move))
            unit.Add(in move);
    }

    /// <summary>With indices of 0 to 15, so that its elements are about where a pointer points.</summary>
    private void AddGather(SequenceUnit unit)
    {
        int number = _random.Below(16);
        Register indices = Register.YMM0 + number, other = Register.YMM0 + ((number + 1) & 15), mask = Register.YMM0 + ((number + 2) & 15);
        unit.Add(Instruction.Create(Code.VEX_Vpsrld_ymm_ymm_imm8, indices, other, 28));
        var gather = default(Instruction);
        gather.Code = _random.Pick(Code.VEX_Vpgatherdd_ymm_vm32y_ymm, Code.VEX_Vgatherdps_ymm_vm32y_ymm);
        gather.SetOpRegister(0, other);
        gather.SetOpKind(1, OpKind.Memory);
        gather.MemoryBase = SequenceOperands.Wide(_operands.Pointer());
        gather.MemoryIndex = indices;
        gather.MemoryIndexScale = 1 << _random.Below(4);
        gather.SetOpRegister(2, mask);
        unit.Add(in gather);
    }
}
