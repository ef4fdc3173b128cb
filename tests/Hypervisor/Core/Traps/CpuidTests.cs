using System.Text;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Traps;

/// <summary>The processor that a guest sees.</summary>
public sealed class CpuidTests
{
    [Fact]
    public void Xen_IsFoundAtItsLeaves()
    {
        CpuidLeaf first = Read(CpuidLeaves.First);
        Assert.Equal(CpuidLeaves.First + 5, first.Eax);
        Assert.Equal("XenVMMXenVMM", Text(first.Ebx, first.Ecx, first.Edx));
        Assert.Equal(0x4_0011u, Read(CpuidLeaves.Version).Eax);
        Assert.Equal(1_000_000u, Read(CpuidLeaves.Tsc).Ecx);
        Assert.Equal(default, Read(CpuidLeaves.First + 0x100));
    }

    [Fact]
    public void TheTscsFactors_MakeNanosecondsOfTicks()
    {
        CpuidLeaf factors = CpuidPolicy.Read(CpuFeatures.OfHost, 0, CpuidLeaves.Tsc, 1);
        UInt128 nanoseconds = ((UInt128)(123_456_789ul << (int)factors.Edx) * factors.Ecx) >> 32;
        Assert.Equal(123_456_789ul, (ulong)nanoseconds);
    }

    [Fact]
    public void Features_AreTheEngines_WithAHypervisor()
    {
        CpuidLeaf leaf = Read(1);
        Assert.Equal((uint)CpuFeatures.OfHost.Leaf1Edx, leaf.Edx & (uint)CpuFeatures.OfHost.Leaf1Edx);
        Assert.Equal(1u << 31, leaf.Ecx & (1u << 31));
        const uint Osxsave = 1u << 27, Monitor = 1u << 3;
        Assert.Equal(0u, leaf.Ecx & (Osxsave | Monitor));
        Assert.Equal((uint)CpuFeatures.OfHost.Leaf1Ecx, leaf.Ecx & ~(uint)Leaf1Ecx.Hypervisor);
        const uint Pse = 1u << 3, Sep = 1u << 11, Mtrr = 1u << 12, Pge = 1u << 13;
        Assert.Equal(0u, leaf.Edx & (Pse | Sep | Mtrr | Pge));
        Assert.Equal((uint)CpuFeatures.OfHost.Extended1Edx, Read(0x8000_0001).Edx);
    }

    [Fact]
    public void WhatA64BitLinuxRequires_IsThere()
    {
        const uint Fpu = 1, Msr = 1 << 5, Pae = 1 << 6, Cx8 = 1 << 8, Cmov = 1 << 15, Fxsr = 1 << 24, Sse = 1 << 25, Sse2 = 1 << 26;
        const uint Required = Fpu | Msr | Pae | Cx8 | Cmov | Fxsr | Sse | Sse2;
        Assert.Equal(Required, Read(1).Edx & Required);
        Assert.Equal(1u << 29, Read(0x8000_0001).Edx & (1u << 29));
    }

    [Fact]
    public void HiddenFeatures_AreNotShown_NorWhatNeedsThem()
    {
        CpuFeatures all = CpuFeatures.OfHost.Union(CpuFeatures.None with { Leaf7Ebx = Leaf7Ebx.Bmi1, Leaf1Ecx = Leaf1Ecx.Aes });
        CpuFeatures left = all.Hide(CpuFeatures.None with { Leaf1Ecx = Leaf1Ecx.Ssse3, Leaf7Ebx = Leaf7Ebx.Bmi1 });
        Assert.Equal(Leaf1Ecx.None, left.Leaf1Ecx & (Leaf1Ecx.Ssse3 | Leaf1Ecx.Sse41 | Leaf1Ecx.Sse42 | Leaf1Ecx.Avx | Leaf1Ecx.Fma));
        Assert.Equal(Leaf1Ecx.Sse3 | Leaf1Ecx.Popcnt | Leaf1Ecx.Aes, left.Leaf1Ecx & (Leaf1Ecx.Sse3 | Leaf1Ecx.Popcnt | Leaf1Ecx.Aes));
        Assert.Equal(Leaf7Ebx.Erms, left.Leaf7Ebx & (Leaf7Ebx.Erms | Leaf7Ebx.Bmi1 | Leaf7Ebx.Avx2));
    }

    [Fact]
    public void HiddenFeatures_OfADomain_AreThoseOfItsSettings()
    {
        var settings = new DomainSettings("guest", 1, 64) { HiddenFeatures = CpuFeatures.None with { Leaf1Ecx = Leaf1Ecx.Popcnt } };
        using var machine = new Machine(new MachineConfig(4096, 1, CpuEngines.FactoryOf(CpuEngines.Interpreter)));
        Assert.Equal(XenErrno.OK, new DomainControl(machine).Create(settings, out Domain? domain));
        domain!.Cpuid(domain.Vcpus[0].State, 1, 0, out _, out _, out uint ecx, out _);
        Assert.Equal((uint)Leaf1Ecx.Sse42, ecx & (uint)(Leaf1Ecx.Sse42 | Leaf1Ecx.Popcnt));
    }

    [Fact]
    public void ApicIds_DifferByVcpu()
    {
        Assert.Equal(0u, Read(1).Ebx >> 24);
        Assert.Equal(6u, CpuidPolicy.Read(CpuFeatures.OfHost, 3, 1, 0).Ebx >> 24);
    }

    [Theory]
    [InlineData(0xEu)]
    [InlineData(0x8000_0009u)]
    [InlineData(0x8000_000Au)]
    [InlineData(0x4000_0006u)]
    [InlineData(0xC000_0000u)]
    [InlineData(uint.MaxValue)]
    public void LeavesBeyondTheLast_AreZero(uint leaf) => Assert.Equal(default, Read(leaf));

    private static CpuidLeaf Read(uint leaf) => CpuidPolicy.Read(CpuFeatures.OfHost, 0, leaf, 0);

    private static string Text(params ReadOnlySpan<uint> words)
    {
        var text = new StringBuilder();
        foreach (uint word in words)
            text.Append(Encoding.ASCII.GetString(BitConverter.GetBytes(word)));
        return text.ToString();
    }
}
