using System.Buffers.Binary;
using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>
/// The page of hypercall stubs: a guest calls the page's address + 32 * number. <b>Source</b>: arch-x86/xen-x86_64.h, hypercall interface
/// and struct iret_context.
/// </summary>
public static class HypercallPage
{
    private const int StubSize = 32;

    /// <summary>Writes the stubs into a page.</summary>
    public static void Fill(Span<byte> page)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(page.Length, Page.Size);
        page[..Page.Size].Fill(0xCC); // int3 between the stubs
        for (var number = 0; number < Page.Size / StubSize; number++)
        {
            var stub = page.Slice(number * StubSize, StubSize);
            if (number == (int)HypercallNumber.Iret)
            {
                FillIret(stub);
            }
            else
            {
                FillCall(stub, number);
            }
        }
    }

    /// <summary>SYSCALL destroys rcx and r11, which a caller may expect to keep.</summary>
    private static void FillCall(Span<byte> stub, int number)
    {
        ReadOnlySpan<byte> code =
        [
            0x51,                         // push rcx
            0x41, 0x53,                   // push r11
            0xB8, 0, 0, 0, 0,             // mov eax, number
            0x0F, 0x05,                   // syscall
            0x41, 0x5B,                   // pop r11
            0x59,                         // pop rcx
            0xC3,                         // ret
        ];
        code.CopyTo(stub);
        BinaryPrimitives.WriteInt32LittleEndian(stub[4..], number);
    }

    /// <summary>iret does not return: it completes the frame (rcx, r11, rax on top) that the guest began.</summary>
    private static void FillIret(Span<byte> stub)
    {
        ReadOnlySpan<byte> code =
        [
            0x51,                         // push rcx
            0x41, 0x53,                   // push r11
            0x50,                         // push rax
            0xB8, 0, 0, 0, 0,             // mov eax, iret
            0x0F, 0x05,                   // syscall
        ];
        code.CopyTo(stub);
        BinaryPrimitives.WriteInt32LittleEndian(stub[5..], (int)HypercallNumber.Iret);
    }
}
