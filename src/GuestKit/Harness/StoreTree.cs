using System.Collections.Immutable;
using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>A node of the store.</summary>
internal sealed record StoreNode(string Value, ImmutableArray<StorePermission> Permissions);

/// <summary>What changed, for the watches.</summary>
internal readonly record struct StoreChange(string Path, bool IsRemoval);

/// <summary>The store's tree as a map from paths to nodes, and what can be done with it.</summary>
internal static class StoreTree
{
    private const int LongestPath = 3072;

    public static readonly ImmutableSortedDictionary<string, StoreNode> Empty =
        ImmutableSortedDictionary.Create<string, StoreNode>(StringComparer.Ordinal)
            .Add("/", new StoreNode("", [new StorePermission(DomId.Dom0, StoreAccess.None)]));

    public static ImmutableSortedDictionary<string, StoreNode> Write(
        ImmutableSortedDictionary<string, StoreNode> nodes, string path, string value, DomId writer)
    {
        if (nodes.TryGetValue(path, out StoreNode? node))
            return nodes.SetItem(path, node with { Value = value });
        string parent = Parent(path);
        if (!nodes.ContainsKey(parent))
            nodes = Write(nodes, parent, "", writer);
        ImmutableArray<StorePermission> permissions = nodes[parent].Permissions;
        if (writer != DomId.Dom0)
            permissions = permissions.SetItem(0, permissions[0] with { Domain = writer });
        return nodes.Add(path, new StoreNode(value, permissions));
    }

    public static ImmutableSortedDictionary<string, StoreNode> Remove(ImmutableSortedDictionary<string, StoreNode> nodes, string path) =>
        nodes.RemoveRange(nodes.Keys.Where(k => IsAtOrBelow(k, path)).ToArray());

    public static string[] Children(ImmutableSortedDictionary<string, StoreNode> nodes, string path)
    {
        string prefix = path == "/" ? "/" : path + "/";
        return
        [
            .. from key in nodes.Keys
               where key.Length > prefix.Length && key.StartsWith(prefix, StringComparison.Ordinal)
               let name = key[prefix.Length..]
               where !name.Contains('/', StringComparison.Ordinal)
               select name,
        ];
    }

    public static bool IsAtOrBelow(string path, string top) => path.StartsWith(top, StringComparison.Ordinal)
        && (path.Length == top.Length || top == "/" || path[top.Length] == '/');

    public static string Parent(string path) => path.LastIndexOf('/') is var at and > 0 ? path[..at] : "/";

    /// <summary>Makes a path absolute.</summary>
    /// <returns>OK, or EINVAL: there is no such path.</returns>
    public static XenErrno Resolve(string path, string home, out string absolute)
    {
        absolute = path.StartsWith('/') ? path : home + "/" + path;
        bool valid = absolute.Length is > 0 and <= LongestPath
            && (absolute == "/" || !absolute.EndsWith('/'))
            && !absolute.Contains("//", StringComparison.Ordinal)
            && absolute.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '/' or '_' or '@');
        return valid ? XenErrno.OK : XenErrno.EINVAL;
    }
}
