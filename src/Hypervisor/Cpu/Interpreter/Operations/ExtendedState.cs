namespace Xen.Cpu;

/// <summary>Before an AVX instruction: #UD unless the kernel has enabled its state. Comes before the check of CR0.TS.</summary>
internal readonly struct CheckExtended : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.State.AvxEnabled)
            return ref cpu.Fault(ref r, ref op, Vector.InvalidOpcode);
        return ref Handler.Next(ref op);
    }
}

/// <summary>Before XSAVE, XRSTOR and XGETBV: #UD unless CR4.OSXSAVE is set.</summary>
internal readonly struct CheckXsave : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.State.XsaveEnabled)
            return ref cpu.Fault(ref r, ref op, Vector.InvalidOpcode);
        return ref Handler.Next(ref op);
    }
}

/// <summary>VZEROUPPER; VZEROALL (Immediate is 1).</summary>
internal readonly struct ZeroUpperHalves : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        r.UpperHalves = default;
        r.UpperHalvesInUse = 0;
        if (op.Immediate != 0)
            r.Xmm = default;
        return ref Handler.Next(ref op);
    }
}

/// <summary>XGETBV: register 0 is XCR0, there are no others.</summary>
internal readonly struct GetExtendedControl : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if ((uint)r.Gpr[1] != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        r.Gpr[0] = (uint)cpu.State.Xcr0;
        r.Gpr[2] = 0;
        return ref Handler.Next(ref op);
    }
}

/// <summary>XSAVE, and XSAVEOPT, which does not write upper halves that are zero. Immediate: bit 0 is the form with 64-bit pointers, bit 1 XSAVEOPT.</summary>
/// <remarks>A fault may come after some of the image is written, as on processors: registers have not changed, and it is written again.</remarks>
internal readonly struct XSave : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & (XsaveImage.Alignment - 1)) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        XsaveComponents wanted = XsaveImage.Requested(cpu, ref r);
        Span<byte> image = stackalloc byte[FxImage.Written];
        FxImage.Save(ref r, image, wide: (op.Immediate & 1) != 0);
        XsaveComponents used = XsaveImage.InUse(ref r);
        bool upper = (wanted & XsaveComponents.Avx) != 0 && ((op.Immediate & 2) == 0 || (used & XsaveComponents.Avx) != 0);
        ulong header = address + XsaveImage.Header;
        bool done = XsaveImage.WriteLegacy(cpu, address, image, wanted)
            && (!upper || XsaveImage.WriteUpperHalves(cpu, ref r, address + XsaveImage.UpperHalves))
            && cpu.Load(header, out ulong present)
            && cpu.Store(header, (present & ~(ulong)wanted) | (ulong)(used & wanted));
        if (!done)
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>XRSTOR of the standard form. Immediate is 1 for the form with 64-bit pointers.</summary>
internal readonly struct XRestore : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & (XsaveImage.Alignment - 1)) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        XsaveComponents wanted = XsaveImage.Requested(cpu, ref r);
        Span<byte> image = stackalloc byte[XsaveImage.UpperHalves];
        Span<byte> upper = stackalloc byte[XsaveImage.UpperHalvesSize];
        if (!cpu.ReadBytes(address, image))
            return ref cpu.Fault(ref r, ref op);
        if (!XsaveImage.IsLawful(image, cpu.State.Xcr0, wanted, out XsaveComponents present))
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        if ((wanted & present & XsaveComponents.Avx) != 0 && !cpu.ReadBytes(address + XsaveImage.UpperHalves, upper))
            return ref cpu.Fault(ref r, ref op);
        XsaveImage.Restore(ref r, image, upper, wanted, present, wide: op.Immediate != 0);
        return ref Handler.Next(ref op);
    }
}
