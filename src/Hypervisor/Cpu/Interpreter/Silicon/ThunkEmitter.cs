using Iced.Intel;

namespace Xen.Cpu;

/// <summary>
/// Emits the code around an instruction that the host executes for the guest:
/// <code>
/// rdi = the vCPU's context        general registers --> r8 to r11 (explicit ones), themselves (implied ones)
///                                 vector registers  --> themselves
/// [flags] [MXCSR]; the instruction, its memory operand in the context; [MXCSR: anything that is not masked? then return 1] [flags]; registers back; return 0
/// </code>
/// So nothing has to be saved that a called function must keep.
/// </summary>
internal sealed class ThunkEmitter
{
    private const HostRegister Context = HostRegister.Rdi, Spare = HostRegister.Rsi, FirstExplicit = HostRegister.R8;
    private const int Align = 16;

    private readonly CodeMemory _memory;
    private readonly Emitter _emitter;
    private readonly Encoder _encoder;
    private readonly InstructionInfoFactory _information = new();
    private readonly List<(int Guest, HostRegister Host, bool Stores)> _general = [];
    private readonly List<int> _vectors = [];

    public ThunkEmitter(CodeMemory memory)
    {
        _memory = memory;
        _emitter = new Emitter(memory);
        _encoder = Encoder.Create(64, new Writer(_emitter));
        Reset();
    }

    /// <summary>Where the next thunk goes.</summary>
    public int Position => _emitter.Position;

    /// <summary>Begins anew.</summary>
    public void Reset() => _emitter.MoveTo(0, _memory.Size);

    /// <summary>The instruction as it would be anywhere, and with any memory operand.</summary>
    public static Instruction Normalize(in Instruction instruction)
    {
        Instruction plain = instruction;
        plain.IP = 0;
        plain.NextIP = 0;
        plain.Length = 0;
        plain.SegmentPrefix = Register.None;
        plain.HasRepPrefix = false;
        plain.HasRepnePrefix = false;
        if (instruction.HasMemory())
            BlockEmitter.SetMemory(ref plain, HostAddress.At(Context, ContextOffsets.SiliconMemory));
        return plain;
    }

    /// <summary>Emits a thunk for a normalised instruction.</summary>
    public HostThunk Emit(in Instruction instruction, SiliconKind kind)
    {
        _emitter.Align(Align);
        int start = _emitter.Position;
        Instruction host = Rename(in instruction);
        InstructionInfo information = _information.GetInfo(in host, InstructionInfoOptions.NoMemoryUsage);
        CollectImplied(in information);
        bool extended = kind == SiliconKind.Extended;
        bool flags = instruction.RflagsRead != RflagsBits.None || instruction.RflagsModified != RflagsBits.None;
        EmitLoads(extended, flags);
        if (!_encoder.TryEncode(in host, 0, out _, out string? error))
            throw new InvalidOperationException($"{host} cannot be encoded: {error}");
        int failed = EmitStores(extended, flags);
        Return(0);
        if (failed != 0)
        {
            _emitter.Bind(failed);
            _emitter.ClearUpperHalves();
            Return(1);
        }

        int operand = MemoryOperand(in instruction);
        return new HostThunk
        {
            Address = _memory.AddressOf(start),
            Size = operand < 0 ? 0 : instruction.MemorySize.GetSize(),
            Alignment = operand < 0 ? 1 : VectorAlignment.Of(in instruction),
            Stores = operand >= 0 && information.GetOpAccess(operand) is OpAccess.Write,
            UsesFlags = flags,
            UsesMxcsr = extended,
            WritesUpperHalves = extended && instruction.HasYmm(),
        };
    }

    /// <summary>Puts scratch registers in the place of general registers.</summary>
    private Instruction Rename(in Instruction instruction)
    {
        Instruction host = instruction;
        _general.Clear();
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Register || !instruction.GetOpRegister(i).IsGPR())
                continue;
            Register register = instruction.GetOpRegister(i);
            HostRegister to = Place(register.GetFullRegister().GetNumber());
            host.SetOpRegister(i, BlockEmitter.Sized(to, register.GetSize()));
        }

        return host;
    }

    private HostRegister Place(int guest)
    {
        foreach ((int known, HostRegister host, _) in _general)
        {
            if (known == guest)
                return host;
        }

        HostRegister fresh = (HostRegister)((int)FirstExplicit + _general.Count);
        _general.Add((guest, fresh, true));
        return fresh;
    }

    /// <summary>Adds the registers that are no operands, and collects vector registers.</summary>
    private void CollectImplied(in InstructionInfo information)
    {
        _vectors.Clear();
        foreach (UsedRegister used in information.GetUsedRegisters())
        {
            Register register = used.Register;
            int number = register.GetNumber();
            if (register.IsVectorRegister())
            {
                if (!_vectors.Contains(number))
                    _vectors.Add(number);
            }
            else if (register.IsGPR() && register.GetFullRegister() is Register.RAX or Register.RCX or Register.RDX)
            {
                number = register.GetFullRegister().GetNumber();
                _general.Add((number, (HostRegister)number, used.Access is not (OpAccess.Read or OpAccess.CondRead)));
            }
        }
    }

    private void EmitLoads(bool extended, bool flags)
    {
        foreach ((int guest, HostRegister host, _) in _general)
            _emitter.Load(host, At(ContextOffsets.Gpr(guest)));
        foreach (int vector in _vectors)
        {
            if (extended)
            {
                _emitter.LoadVector(vector, At(ContextOffsets.Xmm + (vector * 16)));
                _emitter.LoadUpperHalf(vector, At(ContextOffsets.UpperHalves + (vector * 16)));
            }
            else
            {
                _emitter.Memory(false, 0x0F10, vector, At(ContextOffsets.Xmm + (vector * 16)));
            }
        }

        if (extended)
        {
            _emitter.Memory(false, 0x0FAE, 3, At(ContextOffsets.HostMxcsr));
            _emitter.Memory(false, 0x0FAE, 2, At(ContextOffsets.SiliconMxcsr));
        }

        if (!flags)
            return;
        _emitter.Memory(false, 0xFF, 6, At(ContextOffsets.SiliconFlags)); // push
        _emitter.Byte(0x9D); // popfq
    }

    /// <summary>Returns the jump that is taken when nothing is to be stored, or 0.</summary>
    private int EmitStores(bool extended, bool flags)
    {
        int failed = 0;
        if (flags)
        {
            _emitter.Byte(0x9C); // pushfq
            _emitter.Memory(false, 0x8F, 0, At(ContextOffsets.SiliconFlags)); // pop
        }

        if (extended)
        {
            _emitter.Memory(false, 0x0FAE, 3, At(ContextOffsets.SiliconMxcsr));
            _emitter.Memory(false, 0x0FAE, 2, At(ContextOffsets.HostMxcsr));
            _emitter.Load(Spare, At(ContextOffsets.SiliconMxcsr), wide: false);
            _emitter.Memory(false, 0x85, (int)Spare, At(ContextOffsets.SiliconUnmasked)); // test
            failed = _emitter.Jump(HostCondition.NotEqual);
        }

        foreach ((int guest, HostRegister host, bool stores) in _general)
        {
            if (stores)
                _emitter.Store(At(ContextOffsets.Gpr(guest)), host);
        }

        foreach (int vector in _vectors)
        {
            if (extended)
            {
                _emitter.StoreVector(At(ContextOffsets.Xmm + (vector * 16)), vector);
                _emitter.StoreUpperHalf(At(ContextOffsets.UpperHalves + (vector * 16)), vector);
            }
            else
            {
                _emitter.Memory(false, 0x0F11, vector, At(ContextOffsets.Xmm + (vector * 16)));
            }
        }

        if (extended)
            _emitter.ClearUpperHalves();
        return failed;
    }

    private void Return(int value)
    {
        _emitter.Move(HostRegister.Rax, (ulong)value);
        _emitter.Byte(0xC3);
    }

    private static HostAddress At(int offset) => HostAddress.At(Context, offset);

    private static int MemoryOperand(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return i;
        }

        return -1;
    }

    private sealed class Writer(Emitter emitter) : CodeWriter
    {
        public override void WriteByte(byte value) => emitter.Byte(value);
    }
}
