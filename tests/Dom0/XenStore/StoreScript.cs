using System.Globalization;
using System.Text;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>
/// A table of requests: connection, transaction, operation, "=" and what comes back. Connections are d0, d5, d5b (a second one of domain 5);
/// transactions are names, "-" is none. All go through the wire protocol. "/+x*9" is a slash and nine times x, "''" is nothing.
/// </summary>
internal sealed class StoreScript : IDisposable
{
    private readonly Dictionary<string, ScriptClient> _clients = [];
    private readonly Dictionary<(string, string), uint> _transactions = [];

    public StoreScript(StoreQuotas? quotas = null, IStoreHost? host = null)
    {
        Server = new StoreServer(quotas, host);
        Server.QuotaExceeded += (domain, quota) => Exceeded.Add($"{domain} {quota}");
    }

    public StoreServer Server { get; }

    public List<string> Exceeded { get; } = [];

    public static void Check(string table)
    {
        using var script = new StoreScript();
        script.Run(table);
    }

    public void Dispose() => Server.Dispose();

    public ScriptClient Client(string name)
    {
        if (!_clients.TryGetValue(name, out ScriptClient? client))
        {
            var domain = new DomId(ushort.Parse(name.AsSpan(1).TrimEnd("abcdefgh"), CultureInfo.InvariantCulture));
            _clients.Add(name, client = Server.Connect(domain, d => new ScriptClient(Server, d)));
        }

        return client;
    }

    public void Run(string table)
    {
        foreach (string line in table.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = line.LastIndexOf('=');
            string[] words = [.. line[..equals].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Expand)];
            string expected = string.Join(' ', line[(equals + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Expand));
            Assert.Equal(line[..equals] + "= " + expected, line[..equals] + "= " + Do(words[0], words[1], words[2], words[3..]));
        }
    }

    private static string Expand(string word) => string.Concat(word.Split('+').Select(Repeat));

    private static string Repeat(string word)
    {
        int star = word.LastIndexOf('*');
        if (star < 0 || !int.TryParse(word.AsSpan(star + 1), CultureInfo.InvariantCulture, out int count))
            return word == "''" ? string.Empty : word;
        return string.Concat(Enumerable.Repeat(word[..star], count));
    }

    private string Do(string name, string transaction, string operation, string[] words)
    {
        ScriptClient client = Client(name);
        uint id = transaction == "-" ? 0
            : uint.TryParse(transaction, CultureInfo.InvariantCulture, out uint number) ? number
            : _transactions.GetValueOrDefault((name, transaction));
        switch (operation)
        {
            case "EVENTS":
                return string.Join(' ', client.TakeEvents());
            case "START":
                string given = client.Ask(XenStoreMessageType.TransactionStart, 0, "\0");
                if (!uint.TryParse(given, CultureInfo.InvariantCulture, out id))
                    return given;
                _transactions[(name, transaction)] = id;
                return "OK";
            case "COMMIT":
                return client.Ask(XenStoreMessageType.TransactionEnd, id, "T\0");
            case "ABORT":
                return client.Ask(XenStoreMessageType.TransactionEnd, id, "F\0");
            case "WRITE":
                return client.Ask(XenStoreMessageType.Write, id, words[0] + "\0" + string.Join(' ', words[1..]));
            case "RAW":
                return client.Ask(Enum.Parse<XenStoreMessageType>(words[0], ignoreCase: true), id, words[1].Replace('|', '\0'));
            case "TYPE":
                return client.Ask((XenStoreMessageType)uint.Parse(words[0], CultureInfo.InvariantCulture), id, words.Length > 1 ? words[1].Replace('|', '\0') : "");
            case "LIST":
                return client.Ask(XenStoreMessageType.Directory, id, words[0] + '\0');
            case "GETPERMS":
                return client.Ask(XenStoreMessageType.GetPerms, id, words[0] + '\0');
            case "SETPERMS":
                return client.Ask(XenStoreMessageType.SetPerms, id, string.Concat(words.Select(w => w + '\0')));
            default:
                return client.Ask(Enum.Parse<XenStoreMessageType>(operation, ignoreCase: true), id, string.Concat(words.Select(w => w + '\0')));
        }
    }
}

/// <summary>A client without a transport: what it sends is handled at once, what it gets is looked at.</summary>
internal sealed class ScriptClient(StoreServer server, StoreDomain domain) : StoreClient(domain)
{
    private readonly List<string> _events = [];
    private uint _request;

    public override void Wake()
    {
    }

    /// <summary>Sends a request and reads its reply: the payload, nulls between words as blanks; of an error its name.</summary>
    public string Ask(XenStoreMessageType type, uint transaction, string payload)
    {
        byte[] reply = AskBytes(type, transaction, Encoding.Latin1.GetBytes(payload));
        return Encoding.Latin1.GetString(reply).TrimEnd('\0').Replace('\0', ' ');
    }

    public byte[] AskBytes(XenStoreMessageType type, uint transaction, byte[] payload)
    {
        var header = new XenStoreMessageHeader { Type = type, ReqId = ++_request, TxId = transaction, Len = (uint)payload.Length };
        server.Requests.Handle(this, header, payload);
        byte[]? reply = null;
        foreach (byte[] message in Take())
        {
            XenStoreMessageHeader got = WireText.ReadHeader(message);
            Assert.Equal(message.Length - WireText.HeaderSize, (int)got.Len);
            if (got.Type == XenStoreMessageType.WatchEvent)
            {
                AddEvent(message);
                continue;
            }

            Assert.Null(reply);
            Assert.Equal((_request, transaction), (got.ReqId, got.TxId));
            Assert.True(got.Type == type || got.Type == XenStoreMessageType.Error);
            reply = message[WireText.HeaderSize..];
        }

        Assert.NotNull(reply);
        return reply;
    }

    /// <summary>The events since the last time: "path:token".</summary>
    public IReadOnlyList<string> TakeEvents()
    {
        foreach (byte[] message in Take())
            AddEvent(message);
        string[] events = [.. _events];
        _events.Clear();
        return events;
    }

    private void AddEvent(byte[] message)
    {
        XenStoreMessageHeader header = WireText.ReadHeader(message);
        Assert.Equal((XenStoreMessageType.WatchEvent, 0u, 0u), (header.Type, header.ReqId, header.TxId));
        _events.Add(Encoding.Latin1.GetString(message.AsSpan(WireText.HeaderSize)).TrimEnd('\0').Replace('\0', ':'));
    }

    private IEnumerable<byte[]> Take()
    {
        while (true)
        {
            byte[] message = Outbox.Peek().ToArray();
            if (message.Length == 0)
                yield break;
            Outbox.Sent(message.Length);
            yield return message;
        }
    }
}
