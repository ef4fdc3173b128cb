using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Xen.Abi.Tests;

/// <summary>Where the runtime really puts the fields of a struct, which is what counts when a struct is copied as bytes.</summary>
internal static class ManagedLayout
{
    private static readonly MethodInfo SizeOfT = typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!;

    public static int SizeOf(Type type) => (int)SizeOfT.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>The distance from the start of the struct to a field. <b>Units</b>: bytes.</summary>
    public static int OffsetOf(FieldInfo field)
    {
        // SAFETY: the generated method only subtracts the addresses of a local and of a field within it; it reads and
        // writes nothing through them, and the local outlives both.
        var method = new DynamicMethod("OffsetOf", typeof(int), Type.EmptyTypes, typeof(ManagedLayout).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        LocalBuilder value = il.DeclareLocal(field.DeclaringType!);
        il.Emit(OpCodes.Ldloca, value);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ldloca, value);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Sub);
        il.Emit(OpCodes.Conv_I4);
        il.Emit(OpCodes.Ret);
        return (int)method.Invoke(null, null)!;
    }
}
