using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Transactions: what they see, what they do to others, when they conflict.</summary>
public sealed class TransactionTests
{
    [Fact]
    public void Transaction_IsASnapshotUntilItsEnd() => StoreScript.Check("""
        d0 - WRITE /a 1             = OK
        d0 t START                  = OK
        d0 t READ /a                = 1
        d0 t WRITE /b 2             = OK
        d0 t READ /b                = 2
        d0 - READ /b                = ENOENT
        d0 t LIST /                 = a b tool
        d0 t COMMIT                 = OK
        d0 - READ /b                = 2
        d0 t READ /b                = ENOENT
        d0 t COMMIT                 = ENOENT
        """);

    [Fact]
    public void Abort_LeavesNothing() => StoreScript.Check("""
        d0 t START                  = OK
        d0 t WRITE /b 2             = OK
        d0 t ABORT                  = OK
        d0 - READ /b                = ENOENT
        """);

    [Fact]
    public void Start_InsideATransaction_IsBusy() => StoreScript.Check("""
        d0 1 START                  = OK
        d0 1 RAW TRANSACTIONSTART | = EBUSY
        d0b 1 READ /tool            = ENOENT
        """);

    [Theory]
    [InlineData("t READ /a/x = 1", "WRITE /a/x 2", "EAGAIN")]
    [InlineData("t READ /a/x = 1", "RM /a/x", "EAGAIN")]
    [InlineData("t READ /a/x = 1", "SETPERMS /a/x r0", "EAGAIN")]
    [InlineData("t READ /a/x = 1", "WRITE /a/y 2", "OK")]
    [InlineData("t READ /a/x = 1", "WRITE /a/x/below 2", "OK")]
    [InlineData("t READ /a/none = ENOENT", "WRITE /a/none 2", "EAGAIN")]
    [InlineData("t READ /a/none = ENOENT", "WRITE /a/other 2", "OK")]
    [InlineData("t READ /n/o/n/e = ENOENT", "WRITE /n 2", "EAGAIN")]
    [InlineData("t LIST /a = x y", "WRITE /a/z 2", "EAGAIN")]
    [InlineData("t LIST /a = x y", "RM /a/x", "EAGAIN")]
    [InlineData("t LIST /a = x y", "WRITE /a/x 2", "OK")]
    [InlineData("t LIST /a = x y", "WRITE /a/x/deep 2", "OK")]
    [InlineData("t GETPERMS /a = n0", "SETPERMS /a r0", "EAGAIN")]
    [InlineData("t GETPERMS /a = n0", "WRITE /a 2", "OK")]
    [InlineData("t WRITE /a/x 9 = OK", "WRITE /a/x 2", "EAGAIN")]
    [InlineData("t WRITE /a/x 9 = OK", "WRITE /a/y 2", "OK")]
    [InlineData("t WRITE /a/new 9 = OK", "WRITE /a/other 2", "OK")]
    [InlineData("t WRITE /a/new 9 = OK", "WRITE /a/new 2", "EAGAIN")]
    [InlineData("t WRITE /a/new/deep 9 = OK", "MKDIR /a/new", "EAGAIN")]
    [InlineData("t WRITE /a/new 9 = OK", "RM /a", "EAGAIN")]
    [InlineData("t WRITE /a/new 9 = OK", "SETPERMS /a r0", "EAGAIN")]
    [InlineData("t MKDIR /a = OK", "WRITE /a/x 2", "OK")]
    [InlineData("t MKDIR /a = OK", "RM /a", "EAGAIN")]
    [InlineData("t RM /a = OK", "WRITE /a/x 2", "EAGAIN")]
    [InlineData("t RM /a = OK", "WRITE /a/new/deep 2", "EAGAIN")]
    [InlineData("t RM /a/x = OK", "WRITE /a/y 2", "OK")]
    [InlineData("t SETPERMS /a r0 = OK", "SETPERMS /a b0", "EAGAIN")]
    [InlineData("t SETPERMS /a r0 = OK", "WRITE /a 2", "OK")]
    [InlineData("t READ /a/x = 1", "READ /a/x", "OK")]
    public void Commit_ConflictsOnlyWithWhatItUsed(string inside, string outside, string expected) => StoreScript.Check($"""
        d0 - WRITE /a/x 1           = OK
        d0 - WRITE /a/y 1           = OK
        d0 t START                  = OK
        d0 {inside}
        d0 - {outside}              = {(outside.StartsWith("READ", StringComparison.Ordinal) ? "1" : "OK")}
        d0 t COMMIT                 = {expected}
        d0 - CONTROL check          = OK
        """);

    [Fact]
    public void MergedCommits_KeepBothSides() => StoreScript.Check("""
        d0 - WRITE /a/x 1           = OK
        d0 - WRITE /r/s/t 1         = OK
        d0 t START                  = OK
        d0 t WRITE /a/x 2           = OK
        d0 t WRITE /a/n/e/w 3       = OK
        d0 t RM /r                  = OK
        d0 t WRITE /r/u 4           = OK
        d0 t SETPERMS /a/n r0       = OK
        d0 - WRITE /a/z 5           = OK
        d0 t COMMIT                 = OK
        d0 - READ /a/x              = 2
        d0 - READ /a/n/e/w          = 3
        d0 - READ /a/z              = 5
        d0 - LIST /r                = u
        d0 - GETPERMS /a/n          = r0
        d0 - CONTROL check          = OK
        """);

    [Fact]
    public void LostRights_AreAConflict() => StoreScript.Check("""
        d0 - WRITE /a 1             = OK
        d0 - SETPERMS /a n0 b5      = OK
        d5 t START                  = OK
        d5 t WRITE /a 2             = OK
        d0 - SETPERMS /a n0         = OK
        d5 t COMMIT                 = EAGAIN
        d0 - READ /a                = 1
        """);

    [Fact]
    public void Watches_HearOfATransactionWhenItIsCommitted() => StoreScript.Check("""
        d0 - WRITE /r/s 1           = OK
        d0b - WATCH / t             = OK
        d0b - WATCH /r/s u          = OK
        d0b - EVENTS                = /:t /r/s:u
        d0 t START                  = OK
        d0 t WRITE /a 1             = OK
        d0 t WRITE /a 2             = OK
        d0 t WRITE /b/c 2           = OK
        d0 t RM /r                  = OK
        d0b - EVENTS                = ''
        d0 t COMMIT                 = OK
        d0b - EVENTS                = /a:t /b/c:t /r/s:u /r:t
        d0 t START                  = OK
        d0 t WRITE /a 1             = OK
        d0 t ABORT                  = OK
        d0b - EVENTS                = ''
        """);

    [Fact]
    public void ResetWatches_EndsTransactionsToo() => StoreScript.Check("""
        d5 t START                  = OK
        d5 - RESETWATCHES ''        = OK
        d5 t COMMIT                 = ENOENT
        """);

    [Fact]
    public void EndedConnection_AbortsItsTransactions()
    {
        using var script = new StoreScript();
        script.Run("d5 t START = OK");
        StoreDomain domain = script.Client("d5").Domain;
        Assert.Equal(1, domain.Transactions);
        script.Server.Disconnect(script.Client("d5"));
        Assert.Equal(0, domain.Transactions);
    }

    /// <summary>Random transactions against a model that copies everything and compares what was used, value by value.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomTransactions_BehaveAsTheModel(int seed)
    {
        var random = new Random(seed);
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        var model = new StoreModel();
        List<(uint Id, StoreModel.Transaction Model)> open = [];
        int merged = 0, refused = 0;
        for (int step = 0; step < 6000; step++)
        {
            int choice = random.Next(10);
            if (choice == 0 && open.Count < 4)
            {
                open.Add((uint.Parse(client.Ask(XenStoreMessageType.TransactionStart, 0, "\0")), model.Start()));
                continue;
            }

            if (choice == 1 && open.Count > 0)
            {
                int which = random.Next(open.Count);
                (uint id, StoreModel.Transaction transaction) = open[which];
                open.RemoveAt(which);
                string ended = client.Ask(XenStoreMessageType.TransactionEnd, id, "T\0");
                model.Commit(transaction, ended);
                merged += ended == "OK" ? 1 : 0;
                refused += ended == "OK" ? 0 : 1;
                continue;
            }

            (uint tx, StoreModel.Transaction? inside) = open.Count > 0 && choice < 8 ? open[random.Next(open.Count)] : (0u, null);
            string path = string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => "/" + "abc"[random.Next(3)]));
            (string Expected, string Actual) result = random.Next(6) switch
            {
                0 => (model.Remove(inside, path), client.Ask(XenStoreMessageType.Rm, tx, path + '\0')),
                1 => (model.List(inside, path), client.Ask(XenStoreMessageType.Directory, tx, path + '\0')),
                2 or 3 => (model.Read(inside, path), client.Ask(XenStoreMessageType.Read, tx, path + '\0')),
                _ => (model.Write(inside, path, $"v{step}"), client.Ask(XenStoreMessageType.Write, tx, $"{path}\0v{step}")),
            };
            Assert.Equal(result.Expected, result.Actual);
        }

        Assert.Equal(model.Dump(), Dump(script.Server.Tree.Root, ""));
        Assert.Equal("OK", client.Ask(XenStoreMessageType.Control, 0, "check\0"));
        Assert.True(merged > 50 && refused > 50, $"{merged} merged, {refused} refused");
    }

    private static string Dump(StoreNode node, string path) => string.Concat(node.Names.Select((name, i) =>
        path + "/" + name == "/tool" ? "" : $"{path}/{name}={WireText.ToText(node.Children[i].Value)}\n{Dump(node.Children[i], path + "/" + name)}"));
}
