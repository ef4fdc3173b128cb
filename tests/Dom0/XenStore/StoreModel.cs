namespace Xen.Dom0.Tests.XenStore;

/// <summary>
/// A store as simple as can be: a sorted list of paths and values, copied for each transaction. A transaction remembers what each of its operations saw,
/// and has to conflict if one of them would see something else now. It may conflict as well if what it used was touched, and came to the same.
/// </summary>
internal sealed class StoreModel
{
    private readonly SortedDictionary<string, string> _nodes = new(StringComparer.Ordinal);
    private readonly List<string> _touched = [];

    public Transaction Start() => new(new(_nodes, StringComparer.Ordinal), new(_nodes, StringComparer.Ordinal), _touched.Count);

    public string Read(Transaction? inside, string path)
    {
        inside?.Uses(path, 'v');
        return Nodes(inside).GetValueOrDefault(path, "ENOENT");
    }

    public string List(Transaction? inside, string path)
    {
        inside?.Uses(path, 'n');
        return Nodes(inside).ContainsKey(path) ? Names(Nodes(inside), path) : "ENOENT";
    }

    public string Write(Transaction? inside, string path, string value)
    {
        inside?.Uses(path, 'v');
        Note(inside, path, value);
        return Put(Nodes(inside), path, value);
    }

    public string Remove(Transaction? inside, string path)
    {
        SortedDictionary<string, string> nodes = Nodes(inside);
        inside?.Uses(path, nodes.ContainsKey(path) ? 's' : 'e');
        if (!nodes.ContainsKey(path))
            return Parent(path) == "" || nodes.ContainsKey(Parent(path)) ? "OK" : "ENOENT";
        Note(inside, path, null);
        return Cut(nodes, path);
    }

    /// <summary>Judges how a commit ended and, if it was merged, does the same.</summary>
    public void Commit(Transaction transaction, string actual)
    {
        // What was used is compared between the store as it was at the start and as it is.
        bool changed = transaction.Used.Any(u => See(transaction.Origin, u.Path, u.What) != See(_nodes, u.Path, u.What));
        bool touched = _touched.Skip(transaction.Start).Any(t => transaction.Used.Any(u => IsBelow(t, u.Path) || IsBelow(u.Path, t)));
        Assert.True(changed ? actual == "EAGAIN" : actual == "OK" || touched, $"changed {changed}, touched {touched}, but {actual}");
        if (actual != "OK")
            return;
        foreach ((string path, string? value) in transaction.Changes)
            _ = value is null ? Cut(_nodes, path) : Put(_nodes, path, value);
        _touched.AddRange(transaction.Changes.Select(c => c.Path));
    }

    public string Dump() => string.Concat(Tree("").Select(p => $"{p}={_nodes[p]}\n"));

    private IEnumerable<string> Tree(string path) =>
        Children(_nodes, path).SelectMany(name => Tree($"{path}/{name}").Prepend($"{path}/{name}"));

    private void Note(Transaction? inside, string path, string? value)
    {
        if (inside is null)
            _touched.Add(path);
        else
            inside.Changes.Add((path, value));
    }

    private static bool IsBelow(string path, string of) => path == of || path.StartsWith(of + "/", StringComparison.Ordinal);

    private SortedDictionary<string, string> Nodes(Transaction? inside) => inside?.Now ?? _nodes;

    private static string See(SortedDictionary<string, string> nodes, string path, char what)
    {
        // Whether each node on the way is there is always seen, up to the first that is not.
        for (int end = path.IndexOf('/', 1); end > 0; end = path.IndexOf('/', end + 1))
        {
            if (!nodes.ContainsKey(path[..end]))
                return "no " + path[..end];
        }

        if (!nodes.TryGetValue(path, out string? value))
            return "no " + path;
        return what switch
        {
            'v' => value,
            'n' => Names(nodes, path),
            's' => string.Concat(nodes.Where(n => n.Key == path || n.Key.StartsWith(path + "/", StringComparison.Ordinal)).Select(n => n.Key + n.Value)),
            _ => "there",
        };
    }

    private static string Put(SortedDictionary<string, string> nodes, string path, string value)
    {
        for (string up = Parent(path); up != ""; up = Parent(up))
            nodes.TryAdd(up, "");
        nodes[path] = value;
        return "OK";
    }

    private static string Cut(SortedDictionary<string, string> nodes, string path)
    {
        foreach (string below in nodes.Keys.Where(k => k == path || k.StartsWith(path + "/", StringComparison.Ordinal)).ToArray())
            nodes.Remove(below);
        return "OK";
    }

    private static string Names(SortedDictionary<string, string> nodes, string path) => string.Join(' ', Children(nodes, path));

    private static IEnumerable<string> Children(SortedDictionary<string, string> nodes, string path) =>
        nodes.Keys.Where(k => Parent(k) == path && k != "").Select(k => k[(path.Length + 1)..]);

    private static string Parent(string path) => path[..path.LastIndexOf('/')];

    internal sealed record Transaction(SortedDictionary<string, string> Origin, SortedDictionary<string, string> Now, int Start)
    {
        public List<(string Path, char What)> Used { get; } = [];

        public List<(string Path, string? Value)> Changes { get; } = [];

        public void Uses(string path, char what) => Used.Add((path, what));
    }
}
