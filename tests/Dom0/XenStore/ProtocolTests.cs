using System.Text;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Every kind of message, its answers and its errors, as tables.</summary>
public sealed class ProtocolTests
{
    [Fact]
    public void NewStore_HasWhatXenHas() => StoreScript.Check("""
        d0 - LIST /                 = tool
        d0 - LIST /tool             = xenstored
        d0 - GETPERMS /             = n0
        d0 - READ /                 = ''
        """);

    [Fact]
    public void Write_MakesParentsAndKeepsTheirValues() => StoreScript.Check("""
        d0 - WRITE /a/b/c hello     = OK
        d0 - READ /a/b/c            = hello
        d0 - READ /a/b              = ''
        d0 - WRITE /a/b here        = OK
        d0 - WRITE /a/b/d more      = OK
        d0 - READ /a/b              = here
        d0 - LIST /a/b              = c d
        d0 - WRITE /a/b/c ''        = OK
        d0 - READ /a/b/c            = ''
        """);

    [Fact]
    public void Mkdir_LeavesWhatIsThere() => StoreScript.Check("""
        d0 - MKDIR /a/b             = OK
        d0 - WRITE /a/b x           = OK
        d0 - MKDIR /a/b             = OK
        d0 - READ /a/b              = x
        d0 - LIST /a                = b
        """);

    [Fact]
    public void Rm_TakesAllBelowAndNeedsAParent() => StoreScript.Check("""
        d0 - WRITE /a/b/c 1         = OK
        d0 - RM /a                  = OK
        d0 - READ /a/b/c            = ENOENT
        d0 - LIST /                 = tool
        d0 - RM /a                  = OK
        d0 - RM /a/b                = ENOENT
        d0 - RM /                   = EINVAL
        """);

    [Fact]
    public void List_IsInOrder() => StoreScript.Check("""
        d0 - MKDIR /a/z             = OK
        d0 - MKDIR /a/b             = OK
        d0 - MKDIR /a/B             = OK
        d0 - MKDIR /a/10            = OK
        d0 - MKDIR /a/9             = OK
        d0 - LIST /a                = 10 9 B b z
        d0 - LIST /b                = ENOENT
        """);

    [Theory]
    [InlineData("/a/")]
    [InlineData("//a")]
    [InlineData("/a//b")]
    [InlineData("/")]
    [InlineData("/a b")]
    [InlineData("/a.b")]
    [InlineData("/a\u00e9")]
    [InlineData("/a:b")]
    [InlineData("")]
    [InlineData("@introduceDomain")]
    [InlineData("@x")]
    public void Paths_ThatAreNotLegal_AreEinval(string path)
    {
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        string expected = path == "/" ? "OK" : "EINVAL";
        Assert.Equal(expected, client.Ask(XenStoreMessageType.Write, 0, path + "\0x"));
        foreach (XenStoreMessageType type in (XenStoreMessageType[])[XenStoreMessageType.Read, XenStoreMessageType.Directory, XenStoreMessageType.Rm])
            Assert.Equal("EINVAL", path == "/" ? "EINVAL" : client.Ask(type, 0, path + '\0'));
    }

    [Fact]
    public void Paths_HaveALongest() => StoreScript.Check("""
        d0 - WRITE /a*1536 x        = OK
        d0 - READ /a*1536           = x
        d0 - WRITE /a*1536+/ x       = EINVAL
        d0 - WRITE /a*1536+/b x      = EINVAL
        d5 - READ a*2048            = EACCES
        d5 - READ a*2049            = EINVAL
        d5 - READ /+a*2048          = EINVAL
        d5 - READ /+a*2047          = EACCES
        d5 - READ /local/domain/5/+a*2048 = EACCES
        d5 - READ /local/domain/5/+a*2049 = EINVAL
        """);

    [Fact]
    public void RelativePaths_AreTheCallersHome() => StoreScript.Check("""
        d0 - WRITE /local/domain/5/name guest  = OK
        d0 - SETPERMS /local/domain/5 n5       = OK
        d0 - SETPERMS /local/domain/5/name n0 r5 = OK
        d5 - READ name              = guest
        d5 - LIST /local/domain/5   = name
        d5 - WRITE name x           = EACCES
        d5 - WRITE data/x 1         = OK
        d0 - READ /local/domain/5/data/x = 1
        d0 - WRITE name dom0        = OK
        d0 - READ /local/domain/0/name = dom0
        """);

    [Theory]
    [InlineData("d0 - RAW READ /a = EINVAL")]
    [InlineData("d0 - RAW READ | = EINVAL")]
    [InlineData("d0 - RAW READ /tool|x = EINVAL")]
    [InlineData("d0 - RAW READ /tool|| = EINVAL")]
    [InlineData("d0 - RAW DIRECTORY /tool = EINVAL")]
    [InlineData("d0 - RAW WRITE /a = EINVAL")]
    [InlineData("d0 - RAW MKDIR /a|b| = EINVAL")]
    [InlineData("d0 - RAW RM '' = EINVAL")]
    [InlineData("d0 - RAW GETPERMS /tool = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool| = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool|r| = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool|x5| = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool|r5x| = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool|r70000| = EINVAL")]
    [InlineData("d0 - RAW SETPERMS /tool|r-1| = EINVAL")]
    [InlineData("d0 - RAW WATCH /a| = EINVAL")]
    [InlineData("d0 - RAW WATCH /a/|t| = EINVAL")]
    [InlineData("d0 - RAW UNWATCH /a| = EINVAL")]
    [InlineData("d0 - RAW UNWATCH /a|t| = ENOENT")]
    [InlineData("d0 - RAW TRANSACTIONEND T| = ENOENT")]
    [InlineData("d0 - RAW TRANSACTIONEND X| = EINVAL")]
    [InlineData("d0 - RAW TRANSACTIONEND '' = EINVAL")]
    [InlineData("d0 99 RAW READ /tool| = ENOENT")]
    [InlineData("d0 99 RAW TRANSACTIONSTART | = ENOENT")]
    [InlineData("d0 99 RAW TRANSACTIONEND T| = ENOENT")]
    [InlineData("d0 99 RAW WATCH /a|t| = OK")]
    [InlineData("d0 - RAW GETDOMAINPATH x| = EINVAL")]
    [InlineData("d0 - RAW GETDOMAINPATH 5 = EINVAL")]
    [InlineData("d0 - RAW ISDOMAININTRODUCED | = EINVAL")]
    [InlineData("d0 - RAW INTRODUCE 5|1| = EINVAL")]
    [InlineData("d0 - RAW INTRODUCE 5|1|0| = EINVAL")]
    [InlineData("d0 - RAW INTRODUCE 0|1|1| = EINVAL")]
    [InlineData("d0 - RAW INTRODUCE 5|1|1| = ENOSYS")]
    [InlineData("d0 - RAW RELEASE 0| = EINVAL")]
    [InlineData("d0 - RAW RELEASE 5| = ENOENT")]
    [InlineData("d0 - RAW RESUME 5| = ENOENT")]
    [InlineData("d0 - RAW SETTARGET 5| = EINVAL")]
    [InlineData("d0 - RAW SETTARGET 5|6| = ENOENT")]
    [InlineData("d0 - RAW DIRECTORYPART /tool| = EINVAL")]
    [InlineData("d0 - RAW DIRECTORYPART /tool|x| = EINVAL")]
    [InlineData("d0 - RAW DIRECTORYPART /none|0| = ENOENT")]
    [InlineData("d0 - RAW CONTROL '' = EINVAL")]
    [InlineData("d0 - RAW CONTROL nonsense| = EINVAL")]
    [InlineData("d0 - RAW CONTROL print| = EINVAL")]
    [InlineData("d0 - RAW WATCHEVENT /a|t| = ENOSYS")]
    [InlineData("d0 - RAW ERROR EINVAL| = ENOSYS")]
    [InlineData("d0 - TYPE 20 5| = ENOSYS")]
    [InlineData("d0 - TYPE 27 = ENOSYS")]
    [InlineData("d0 - TYPE 65535 = ENOSYS")]
    [InlineData("d0 - TYPE 4294967295 = ENOSYS")]
    public void WrongRequests_GetTheErrorOfXensStore(string line) => StoreScript.Check(line);

    [Theory]
    [InlineData("CONTROL", "help|")]
    [InlineData("INTRODUCE", "6|1|1|")]
    [InlineData("RELEASE", "6|")]
    [InlineData("RESUME", "6|")]
    [InlineData("SETTARGET", "5|6|")]
    public void Guests_MayNotWhatIsForDom0(string operation, string payload) => StoreScript.Check($"d5 - RAW {operation} {payload} = EACCES");

    [Fact]
    public void Guests_MayNotSetFeaturesOrQuotas() => StoreScript.Check("""
        d5 - TYPE 24 5|0|           = EACCES
        d5 - TYPE 25                = EACCES
        d5 - TYPE 26 nodes|5|       = EACCES
        d5 - TYPE 23                = 7
        d5 - TYPE 23 6|             = EACCES
        """);

    [Fact]
    public void FeaturesAndQuotas_AreReadAndSet() => StoreScript.Check("""
        d0 - TYPE 23                = 7
        d0 - TYPE 23 5|             = ENOENT
        d0 - TYPE 24 5|3|           = OK
        d0 - TYPE 24 5|8|           = EINVAL
        d0 - TYPE 25 nodes|         = 1000
        d0 - TYPE 25 none|          = EINVAL
        d0 - TYPE 25 5|watches|     = 128
        d0 - TYPE 26 5|watches|7|   = OK
        d0 - TYPE 25 5|watches|     = 7
        d0 - TYPE 25 watches|       = 128
        d0 - TYPE 26 watches|50|    = OK
        d0 - TYPE 25 6|watches|     = 50
        d0 - TYPE 25 5|watches|     = 7
        d0 - TYPE 26 watches|-1|    = EINVAL
        d0 - TYPE 26 none|1|        = EINVAL
        d0 - TYPE 25                = nodes node-size watches transactions transaction-nodes path-max path-depth permissions outstanding event-bytes
        """);

    [Fact]
    public void Control_AnswersItsCommands()
    {
        using var script = new StoreScript();
        List<string> printed = [];
        script.Server.Printed += printed.Add;
        script.Run("""
            d0 - CONTROL check          = OK
            d0 - CONTROL print hello    = OK
            d0 - CONTROL quota set nodes 500 = OK
            d0 - CONTROL quota-set watches 9 = OK
            d0 - CONTROL quota-set 5 watches 3 = OK
            d0 - TYPE 25 nodes|         = 500
            d0 - TYPE 25 5|watches|     = 3
            """);
        Assert.Equal(["hello"], printed);
        ScriptClient client = script.Client("d0");
        Assert.Contains("quota-set", client.Ask(XenStoreMessageType.Control, 0, "help\0"), StringComparison.Ordinal);
        Assert.Contains("nodes            :      500\n", client.Ask(XenStoreMessageType.Control, 0, "quota\0"), StringComparison.Ordinal);
        Assert.Contains("watches          :        3\n", client.Ask(XenStoreMessageType.Control, 0, "quota\05\0"), StringComparison.Ordinal);
        Assert.StartsWith("nodes: 3\n", client.Ask(XenStoreMessageType.Control, 0, "memreport\0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Domains_HavePathsBeforeTheyAreThere() => StoreScript.Check("""
        d0 - GETDOMAINPATH 5        = /local/domain/5
        d5 - GETDOMAINPATH 007      = /local/domain/7
        d0 - ISDOMAININTRODUCED 5   = F
        d0 - ISDOMAININTRODUCED 0   = T
        """);

    [Fact]
    public void LongValues_AreE2bigToReadAndToList()
    {
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        Assert.Equal("OK", client.Ask(XenStoreMessageType.Write, 0, "/v\0" + new string('x', 4093)));
        Assert.Equal(4093, client.Ask(XenStoreMessageType.Read, 0, "/v\0").Length);
        for (int i = 0; i < 1000; i++)
            Assert.Equal("OK", client.Ask(XenStoreMessageType.Mkdir, 0, $"/list/child{i:d4}\0"));
        Assert.Equal("E2BIG", client.Ask(XenStoreMessageType.Directory, 0, "/list\0"));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 4)]
    [InlineData(409, 9)]
    [InlineData(1000, 9)]
    [InlineData(3000, 1)]
    public void DirectoryPart_GivesTheWholeListInParts(int count, int width)
    {
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        client.Ask(XenStoreMessageType.Mkdir, 0, "/list\0");
        string[] names = [.. Enumerable.Range(0, count).Select(i => i.ToString("d" + width)).Order(StringComparer.Ordinal)];
        foreach (string name in names)
            client.Ask(XenStoreMessageType.Mkdir, 0, $"/list/{name}\0");

        var list = new StringBuilder();
        string? generation = null;
        while (true)
        {
            byte[] reply = client.AskBytes(XenStoreMessageType.DirectoryPart, 0, Encoding.Latin1.GetBytes($"/list\0{list.Length}\0"));
            Assert.True(reply.Length <= XenStoreLimits.PayloadMax);
            string text = Encoding.Latin1.GetString(reply);
            int end = text.IndexOf('\0');
            Assert.Equal(generation ??= text[..end], text[..end]);
            string part = text[(end + 1)..];
            if (part == "\0" || part.EndsWith("\0\0", StringComparison.Ordinal))
            {
                list.Append(part[..^1]);
                break;
            }

            Assert.NotEmpty(part);
            list.Append(part);
        }

        Assert.Equal(names, list.ToString().Split('\0', StringSplitOptions.RemoveEmptyEntries));
        client.Ask(XenStoreMessageType.Mkdir, 0, "/list/one-more\0");
        Assert.NotEqual(generation, client.Ask(XenStoreMessageType.DirectoryPart, 0, "/list\00\0").Split(' ')[0]);
    }

    [Fact]
    public void BinaryValues_ComeBackAsTheyWere()
    {
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        byte[] value = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        client.AskBytes(XenStoreMessageType.Write, 0, [.. "/v\0"u8, .. value]);
        Assert.Equal(value, client.AskBytes(XenStoreMessageType.Read, 0, [.. "/v\0"u8]));
    }

    [Fact]
    public void IntroduceAndRelease_AskTheHost()
    {
        var host = new ScriptHost();
        using var script = new StoreScript(host: host);
        script.Run("""
            d0 - INTRODUCE 5 -3 7       = OK
            d0 - RELEASE 5              = ENOENT
            d0 - INTRODUCE 9 1 1        = EINVAL
            """);
        Assert.Equal(["introduce d5 fffffffffffffffd 7", "introduce d9 1 1"], host.Calls);
    }

    private sealed class ScriptHost : IStoreHost
    {
        public List<string> Calls { get; } = [];

        public XenErrno Introduce(DomId domain, Gfn page, EvtchnPort port)
        {
            Calls.Add($"introduce {domain} {page.Value:x} {port.Value}");
            return domain.Value == 9 ? XenErrno.EINVAL : XenErrno.OK;
        }

        public XenErrno Release(DomId domain) => XenErrno.OK;
    }
}
