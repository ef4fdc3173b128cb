using System.Reflection;

namespace Xen.Abi.Tests;

/// <summary>Every type of the public interface is, byte for byte and value for value, what the public headers say.</summary>
public sealed class GoldenLayoutTests
{
    private static readonly GoldenTable Golden = GoldenTable.Load();

    [Fact]
    public void Structs_HaveTheSizeOfTheHeaders()
    {
        var actual = AbiTypes.Structs.ToDictionary(type => type.Name, ManagedLayout.SizeOf);
        AssertSame(Golden.Structs, actual);
    }

    [Fact]
    public void Fields_AreWhereTheHeadersHaveThem()
    {
        var actual = AbiTypes.Fields.ToDictionary(
            AbiTypes.NameOf,
            field => (ManagedLayout.OffsetOf(field), ManagedLayout.SizeOf(field.FieldType)));
        AssertSame(Golden.Fields, actual);
    }

    [Fact]
    public void Constants_AreThoseOfTheHeaders()
    {
        var actual = AbiTypes.Constants
            .Where(field => Golden.Constants.ContainsKey(AbiTypes.NameOf(field)) || !AbiTypes.IsEmptySet(field))
            .ToDictionary(AbiTypes.NameOf, AbiTypes.ValueOf);
        AssertSame(Golden.Constants, actual);
    }

    [Fact]
    public void Texts_AreThoseOfTheHeaders()
    {
        var actual = AbiTypes.Texts.ToDictionary(AbiTypes.NameOf, field => (string)field.GetRawConstantValue()!);
        string prefix = string.Join(',', CpuidLeaves.EmulatePrefix.ToArray().Select(value => $"0x{value:x2}"));
        actual.Add("CpuidLeaves.EmulatePrefix", $".byte {prefix} ; ");
        AssertSame(Golden.Texts, actual);
    }

    [Fact]
    public void Messages_HoldNoReferences()
    {
        foreach (Type type in AbiTypes.Structs)
        {
            Assert.True(IsBlittable(type), type.Name + " cannot be copied as bytes");
        }
    }

    private static bool IsBlittable(Type type) =>
        type.IsEnum
        || (type.IsPrimitive && type != typeof(bool) && type != typeof(char))
        || (type.IsValueType && !type.IsPrimitive
            && type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
                .All(field => IsBlittable(field.FieldType)));

    /// <summary>Both tables have the same names with the same values; the message lists every difference.</summary>
    private static void AssertSame<T>(Dictionary<string, T> headers, Dictionary<string, T> actual)
        where T : IEquatable<T>
    {
        Assert.NotEmpty(headers);
        IEnumerable<string> untested = actual.Keys.Except(headers.Keys).Select(name => name + " is not in the golden table");
        IEnumerable<string> missing = headers.Keys.Except(actual.Keys).Select(name => name + " is not in Xen.Abi");
        IEnumerable<string> wrong = headers
            .Where(pair => actual.TryGetValue(pair.Key, out T? value) && !value.Equals(pair.Value))
            .Select(pair => $"{pair.Key} is {actual[pair.Key]}, the headers say {pair.Value}");
        string[] faults = [.. untested, .. missing, .. wrong];
        Assert.True(faults.Length == 0, string.Join(Environment.NewLine, faults));
    }
}
