using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>Writes host instructions, byte by byte: the few forms that the translator makes itself. Guest instructions are re-encoded by Iced.</summary>
internal sealed unsafe partial class Emitter(CodeMemory memory)
{
    private byte* _at;
    private byte* _end;

    /// <summary>Where the next byte goes. <b>Units</b>: bytes from the start of the code memory.</summary>
    public int Position => (int)(_at - memory.Writable);

    /// <summary>Goes on somewhere else.</summary>
    /// <param name="position">Where.</param>
    /// <param name="end">What must not be reached.</param>
    public void MoveTo(int position, int end)
    {
        _at = memory.Writable + position;
        _end = memory.Writable + end;
    }

    public void Align(int to)
    {
        while ((Position & (to - 1)) != 0)
            Byte(0xCC);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Byte(int value)
    {
        // SAFETY: the cache asks for room for the largest block before one is begun; the assertion holds it to that.
        Debug.Assert(_at < _end, "a block is larger than the room that was made for it");
        *_at++ = (byte)value;
    }

    public void Int32(int value)
    {
        Unsafe.WriteUnaligned(_at, value);
        _at += sizeof(int);
    }

    public void Int64(ulong value)
    {
        Unsafe.WriteUnaligned(_at, value);
        _at += sizeof(ulong);
    }

    /// <summary>An instruction with a register and a memory operand.</summary>
    /// <param name="wide">64 bits; else 32.</param>
    /// <param name="opcode">One byte, or 0F xx as 0x0Fxx.</param>
    /// <param name="register">The register operand, or the opcode's extension.</param>
    /// <param name="address">The memory operand.</param>
    public void Memory(bool wide, int opcode, int register, in HostAddress address)
    {
        if (address.InContext)
            Byte(0x65);
        int rex = (wide ? 8 : 0) | ((register >> 3) << 2)
            | (address.Index == HostRegister.None ? 0 : ((int)address.Index >> 3) << 1)
            | (address.Base == HostRegister.None ? 0 : (int)address.Base >> 3);
        if (rex != 0)
            Byte(0x40 | rex);
        if (opcode > 0xFF)
            Byte(opcode >> 8);
        Byte(opcode & 0xFF);
        ModRm(register, in address);
    }

    /// <summary>An instruction with two registers: the first is in the reg field.</summary>
    public void Registers(bool wide, int opcode, int register, HostRegister rm)
    {
        int rex = (wide ? 8 : 0) | ((register >> 3) << 2) | ((int)rm >> 3);
        if (rex != 0)
            Byte(0x40 | rex);
        if (opcode > 0xFF)
            Byte(opcode >> 8);
        Byte(opcode & 0xFF);
        Byte(0xC0 | ((register & 7) << 3) | ((int)rm & 7));
    }

    public void Load(HostRegister register, in HostAddress from, bool wide = true) => Memory(wide, 0x8B, (int)register, in from);

    public void Store(in HostAddress to, HostRegister register, bool wide = true) => Memory(wide, 0x89, (int)register, in to);

    /// <summary>Stores a sign-extended constant.</summary>
    public void Store(in HostAddress to, int value, bool wide = true)
    {
        Memory(wide, 0xC7, 0, in to);
        Int32(value);
    }

    public void Move(HostRegister to, HostRegister from, bool wide = true) => Registers(wide, 0x8B, (int)to, from);

    public void Move(HostRegister to, ulong value)
    {
        if (value <= uint.MaxValue)
        {
            if ((int)to >= 8)
                Byte(0x41);
            Byte(0xB8 | ((int)to & 7));
            Int32((int)value);
        }
        else if ((long)value == (int)value)
        {
            Registers(true, 0xC7, 0, to);
            Int32((int)value);
        }
        else
        {
            Byte(0x48 | ((int)to >> 3));
            Byte(0xB8 | ((int)to & 7));
            Int64(value);
        }
    }

    public void Lea(HostRegister to, in HostAddress address, bool wide = true) => Memory(wide, 0x8D, (int)to, in address);

    public void Add(HostRegister to, in HostAddress from) => Memory(true, 0x03, (int)to, in from);

    public void Add(HostRegister to, HostRegister from) => Registers(true, 0x03, (int)to, from);

    public void Subtract(HostRegister to, HostRegister from) => Registers(true, 0x2B, (int)to, from);

    public void Compare(HostRegister left, HostRegister right, bool wide = true) => Registers(wide, 0x3B, (int)left, right);

    public void Compare(HostRegister left, in HostAddress right) => Memory(true, 0x3B, (int)left, in right);

    public void Compare(HostRegister left, int right, bool wide = true) => Immediate(wide, 7, left, right);

    public void Compare(in HostAddress left, int right, bool wide)
    {
        bool small = right == (sbyte)right;
        Memory(wide, small ? 0x83 : 0x81, 7, in left);
        if (small)
            Byte(right);
        else
            Int32(right);
    }

    public void And(HostRegister register, int value, bool wide = true) => Immediate(wide, 4, register, value);

    public void Test(HostRegister register, int value)
    {
        Registers(true, 0xF7, 0, register);
        Int32(value);
    }

    public void TestByte(in HostAddress address, byte value)
    {
        Memory(false, 0xF6, 0, in address);
        Byte(value);
    }

    public void ShiftRight(HostRegister register, int count, bool wide = true) => Shift(5, register, count, wide);

    public void ShiftLeft(HostRegister register, int count, bool wide = true) => Shift(4, register, count, wide);

    public void ShiftArithmetic(HostRegister register, int count, bool wide = true) => Shift(7, register, count, wide);

    /// <summary>PEXT with a mask in the context: gathers bits without touching flags.</summary>
    public void Extract(HostRegister to, HostRegister from, int maskOffset)
    {
        HostAddress mask = HostAddress.Context(maskOffset);
        Byte(0x65);
        Byte(0xC4);
        Byte((((int)to >> 3) == 0 ? 0x80 : 0) | 0x60 | 0x02);
        Byte(0x80 | ((~(int)from & 15) << 3) | 0x02);
        Byte(0xF5);
        ModRm((int)to, in mask);
    }

    /// <summary>RORX: rotates without touching flags.</summary>
    public void Rotate(HostRegister register, int count) => Rotate(register, register, count);

    /// <summary>RORX: rotates into another register, without touching flags.</summary>
    public void Rotate(HostRegister to, HostRegister from, int count)
    {
        Byte(0xC4);
        Byte(((int)to >> 3 == 0 ? 0x80 : 0) | 0x40 | ((int)from >> 3 == 0 ? 0x20 : 0) | 0x03);
        Byte(0xFB);
        Byte(0xF0);
        Byte(0xC0 | (((int)to & 7) << 3) | ((int)from & 7));
        Byte(count);
    }

    /// <summary>A jump whose target is filled in by <see cref="Bind(int)"/> or <see cref="CodeMemory.PatchJump"/>. Returns where its displacement is.</summary>
    public int Jump(HostCondition condition)
    {
        Byte(0x0F);
        Byte(0x80 | (int)condition);
        Int32(0);
        return Position - 4;
    }

    public int Jump()
    {
        Byte(0xE9);
        Int32(0);
        return Position - 4;
    }

    public void JumpTo(int target)
    {
        Byte(0xE9);
        Int32(target - (Position + 4));
    }

    public void JumpTo(HostCondition condition, int target)
    {
        Byte(0x0F);
        Byte(0x80 | (int)condition);
        Int32(target - (Position + 4));
    }

    public void CallTo(int target)
    {
        Byte(0xE8);
        Int32(target - (Position + 4));
    }

    /// <summary>A short jump if rcx is zero. Returns where its displacement is, for <see cref="BindShort"/>.</summary>
    public int JumpIfRcxZero()
    {
        Byte(0xE3);
        Byte(0);
        return Position - 1;
    }

    public void JumpThrough(in HostAddress address) => Memory(false, 0xFF, 4, in address);

    /// <summary>Lets a jump go to here.</summary>
    public void Bind(int displacement) => memory.PatchJump(displacement, Position);

    public void BindShort(int displacement)
    {
        int distance = Position - (displacement + 1);
        Debug.Assert(distance is >= 0 and <= sbyte.MaxValue, "a short jump is too long");
        memory.Writable[displacement] = (byte)distance;
    }

    private void Shift(int extension, HostRegister register, int count, bool wide)
    {
        Registers(wide, 0xC1, extension, register);
        Byte(count);
    }

    private void Immediate(bool wide, int extension, HostRegister register, int value)
    {
        bool small = value == (sbyte)value;
        Registers(wide, small ? 0x83 : 0x81, extension, register);
        if (small)
            Byte(value);
        else
            Int32(value);
    }

    private void ModRm(int register, in HostAddress address)
    {
        const int Sib = 4, NoIndex = 4, NoBase = 5;
        int reg = (register & 7) << 3;
        int index = address.Index == HostRegister.None ? NoIndex : (int)address.Index & 7;
        if (address.Base == HostRegister.None)
        {
            Byte(reg | Sib);
            Byte((address.Scale << 6) | (index << 3) | NoBase);
            Int32(address.Displacement);
            return;
        }

        int start = (int)address.Base & 7;
        bool small = address.Displacement == (sbyte)address.Displacement;
        int mod = address.Displacement == 0 && start != NoBase ? 0 : small ? 0x40 : 0x80;
        if (address.Index != HostRegister.None || start == Sib)
        {
            Byte(mod | reg | Sib);
            Byte((address.Scale << 6) | (index << 3) | start);
        }
        else
        {
            Byte(mod | reg | start);
        }

        if (mod == 0x40)
            Byte(address.Displacement);
        else if (mod == 0x80)
            Int32(address.Displacement);
    }
}
