namespace Xen.XenStore;

/// <summary>
/// A node of the tree; immutable. Children are ordered by name. A change makes new nodes from the changed one up to the root and shares all
/// others, so two nodes that are the same object are equal down to their last leaf.
/// </summary>
internal sealed class StoreNode
{
    private readonly StoreNode[] _children;

    private StoreNode(byte[] value, NodePermissions permissions, string[] names, StoreNode[] children, int namesSize, ulong generation)
    {
        Value = value;
        Permissions = permissions;
        Names = names;
        _children = children;
        NamesSize = namesSize;
        Generation = generation;
    }

    /// <summary>The value; nobody writes to it once it is here.</summary>
    public byte[] Value { get; }

    public NodePermissions Permissions { get; }

    /// <summary>Names of the children, in order. The same object until a child comes or goes, whatever happens below the children.</summary>
    public string[] Names { get; }

    /// <summary>What the names take in a reply. <b>Units</b>: bytes.</summary>
    public int NamesSize { get; }

    /// <summary>Larger after each change of value, permissions or names.</summary>
    public ulong Generation { get; }

    public ReadOnlySpan<StoreNode> Children => _children;

    /// <summary>What the node counts against <see cref="StoreQuotas.NodeSize"/>.</summary>
    public int Size => SizeOf(Value.Length, Permissions) + NamesSize;

    public static int SizeOf(int valueLength, NodePermissions permissions) => valueLength + (8 * permissions.Count);

    public static StoreNode Leaf(byte[] value, NodePermissions permissions, ulong generation) => new(value, permissions, [], [], 0, generation);

    public StoreNode? Child(ReadOnlySpan<char> name)
    {
        int index = IndexOf(name);
        return index < 0 ? null : _children[index];
    }

    public StoreNode WithValue(byte[] value, ulong generation) => new(value, Permissions, Names, _children, NamesSize, generation);

    public StoreNode WithPermissions(NodePermissions permissions, ulong generation) =>
        new(Value, permissions, Names, _children, NamesSize, generation);

    /// <summary>The same with a child in place of the one of that name, or with one more, or with null: without it.</summary>
    public StoreNode WithChild(ReadOnlySpan<char> name, StoreNode? child, ulong generation)
    {
        int index = IndexOf(name);
        if (index >= 0 && child is not null)
        {
            StoreNode[] replaced = [.. _children];
            replaced[index] = child;
            return new StoreNode(Value, Permissions, Names, replaced, NamesSize, Generation);
        }

        if (index >= 0)
        {
            return new StoreNode(
                Value, Permissions, [.. Names[..index], .. Names[(index + 1)..]], [.. _children[..index], .. _children[(index + 1)..]],
                NamesSize - name.Length - 1, generation);
        }

        if (child is null)
            return this;
        index = ~index;
        return new StoreNode(
            Value, Permissions, [.. Names[..index], name.ToString(), .. Names[index..]], [.. _children[..index], child, .. _children[index..]],
            NamesSize + name.Length + 1, generation);
    }

    /// <summary>The same with other children under the same names.</summary>
    public StoreNode WithChildren(StoreNode[] children) => new(Value, Permissions, Names, children, NamesSize, Generation);

    private int IndexOf(ReadOnlySpan<char> name)
    {
        int low = 0, high = Names.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int order = name.SequenceCompareTo(Names[middle]);
            if (order == 0)
                return middle;
            if (order < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }

        return ~low;
    }
}
