using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Xen.Abi.Tests;

/// <summary>The types of Xen.Abi by reflection, in the terms of the golden table.</summary>
internal static class AbiTypes
{
    /// <summary>
    /// Facts of the x86 architecture and of the BIOS, and this program's own vCPU number: the Xen headers say nothing of them.
    /// </summary>
    private static readonly HashSet<Type> NotInHeaders =
    [
        typeof(Page), typeof(VcpuId),
        typeof(PageTableFlags), typeof(PageTableLayout), typeof(RFlags),
        typeof(Cr0Flags), typeof(Cr4Flags), typeof(EferFlags), typeof(Msr),
        typeof(TrapVector), typeof(TrapVectors), typeof(PageFaultErrorCode),
        typeof(E820Entry), typeof(E820Type),
    ];

    /// <summary>Constants that the headers only have in prose, or that mean "none of them".</summary>
    private static readonly HashSet<string> OnlyInProse =
    [
        "Mfn.Invalid", "Pfn.Invalid", "DomId.Dom0", "EvtchnPort.None", "XenErrno.OK",
        "ElfNotes.Owner", "ElfNotes.LegacySection", "FlatSelectors.RplMask", "XenFeature.GrantMapIdentity",
    ];

    private static readonly Type[] All =
        [.. typeof(Mfn).Assembly.GetExportedTypes().Where(type => !NotInHeaders.Contains(type))];

    /// <summary>Messages and identifiers: everything that is copied as bytes, without the arrays inside messages.</summary>
    public static IEnumerable<Type> Structs =>
        All.Where(type => type.IsValueType && !type.IsEnum && type.GetCustomAttribute<InlineArrayAttribute>() is null);

    /// <summary>The fields of all messages.</summary>
    public static IEnumerable<FieldInfo> Fields =>
        Structs.SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Instance));

    /// <summary>Enum members, constants and static identifiers, except <c>None = 0</c> of flags.</summary>
    public static IEnumerable<FieldInfo> Constants =>
        All.SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static))
            .Where(member => member.FieldType != typeof(string) && !OnlyInProse.Contains(NameOf(member)));

    /// <summary>String constants.</summary>
    public static IEnumerable<FieldInfo> Texts =>
        All.SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static))
            .Where(member => member.FieldType == typeof(string) && !OnlyInProse.Contains(NameOf(member)));

    public static string NameOf(FieldInfo field) => field.DeclaringType!.Name + "." + field.Name;

    /// <summary>Whether a constant is the empty set of a flags enum, for which C has no name.</summary>
    public static bool IsEmptySet(FieldInfo field) =>
        field.Name == "None" && field.DeclaringType!.GetCustomAttribute<FlagsAttribute>() is not null && ValueOf(field) == 0;

    /// <summary>The value of a constant, sign-extended to 64 bits.</summary>
    public static ulong ValueOf(FieldInfo field)
    {
        object value = field.GetValue(null)!;
        if (value is not IConvertible)
        {
            value = value.GetType().GetProperty("Value")!.GetValue(value)!;
        }

        decimal number = Convert.ToDecimal(
            value is Enum ? Convert.ChangeType(value, Enum.GetUnderlyingType(value.GetType()), CultureInfo.InvariantCulture) : value,
            CultureInfo.InvariantCulture);
        return number < 0 ? unchecked((ulong)(long)number) : (ulong)number;
    }
}
