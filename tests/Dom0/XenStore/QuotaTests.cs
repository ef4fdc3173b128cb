using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Limits of unprivileged domains: the error, the report, and that Dom0 and neighbours go on.</summary>
public sealed class QuotaTests
{
    private const string Home = """
        d0 - MKDIR /local/domain/5  = OK
        d0 - SETPERMS /local/domain/5 n5 = OK

        """;

    [Theory]
    [InlineData("nodes", 4, """
        d5 - MKDIR a/b              = OK
        d5 - MKDIR c                = OK
        d5 - MKDIR d                = ENOSPC
        d5 - RM c                   = OK
        d5 - MKDIR d/e              = ENOSPC
        d5 - MKDIR d                = OK
        d0 - MKDIR /local/domain/5/f = OK
        d5 - WRITE a/b x            = OK
        """)]
    [InlineData("node-size", 100, """
        d5 - WRITE a x*92           = OK
        d5 - WRITE a x*93           = ENOSPC
        d5 - WRITE b x*93           = ENOSPC
        d5 - MKDIR a/+b*50           = ENOSPC
        d0 - WRITE /local/domain/5/a x*1000 = OK
        """)]
    [InlineData("watches", 2, """
        d5 - WATCH a t              = OK
        d5 - WATCH b t              = OK
        d5b - WATCH c t             = E2BIG
        d5 - UNWATCH a t            = OK
        d5 - WATCH c t              = OK
        d0 - WATCH /a t             = OK
        d0 - WATCH /b t             = OK
        d0 - WATCH /c t             = OK
        d6 - WATCH c t              = OK
        """)]
    [InlineData("transactions", 2, """
        d5 t START                  = OK
        d5 u START                  = OK
        d5 v START                  = ENOSPC
        d5 t ABORT                  = OK
        d5 v START                  = OK
        d6 t START                  = OK
        d0 t START                  = OK
        d0 u START                  = OK
        d0 v START                  = OK
        """)]
    [InlineData("transaction-nodes", 6, """
        d5 t START                  = OK
        d5 t WRITE a 1              = OK
        d5 t WRITE b 1              = OK
        d5 t WRITE c 1              = OK
        d5 t WRITE d 1              = OK
        d5 t WRITE e 1              = OK
        d5 t WRITE f 1              = ENOSPC
        d5 t READ g                 = ENOSPC
        d5 t WRITE a 2              = OK
        d5 t COMMIT                 = OK
        """)]
    [InlineData("permissions", 3, """
        d5 - WRITE a 1              = OK
        d5 - SETPERMS a n5 r1 r2    = OK
        d5 - SETPERMS a n5 r1 r2 r3 = ENOSPC
        d0 - SETPERMS /local/domain/5/a n5 r1 r2 r3 = OK
        """)]
    [InlineData("path-max", 10, """
        d5 - WRITE a*10 1           = OK
        d5 - WRITE a*11 1           = EINVAL
        d0 - WRITE /local/domain/5/+a*11 1 = OK
        """)]
    [InlineData("path-depth", 5, """
        d5 - WRITE a/b 1            = OK
        d5 - WRITE a/b/c 1          = EINVAL
        """)]
    public void Quota_StopsItsDomainAlone(string quota, int limit, string table)
    {
        using var script = new StoreScript();
        script.Server.SetQuotas(new DomId(5), StoreQuotas.Default.With(quota, limit));
        script.Run(Home + table);
        script.Run("d0 - CONTROL check = OK");
        if (!quota.StartsWith("path", StringComparison.Ordinal))
            Assert.All(script.Exceeded, e => Assert.Equal($"d5 {quota}", e));
        Assert.Equal(quota.StartsWith("path", StringComparison.Ordinal), script.Exceeded.Count == 0);
    }

    [Fact]
    public void ZeroQuota_ChecksNothing()
    {
        using var script = new StoreScript(new StoreQuotas { Watches = 0, Transactions = 0 });
        for (int i = 0; i < 200; i++)
            script.Run($"d5 - WATCH a t{i} = OK\nd5 t{i} START = OK");
    }

    [Fact]
    public void Nodes_AreCheckedAgainAtCommit()
    {
        using var script = new StoreScript(new StoreQuotas { Nodes = 4 });
        script.Run(Home + """
            d5 t START                  = OK
            d5 t MKDIR a                = OK
            d5 t MKDIR b                = OK
            d5 - MKDIR c                = OK
            d5 - MKDIR d                = OK
            d5 t COMMIT                 = ENOSPC
            d0 - LIST /local/domain/5   = c d
            """);
        Assert.Equal(["d5 nodes"], script.Exceeded);
    }

    [Fact]
    public void Quotas_OfADomainEndWithIt()
    {
        using var script = new StoreScript();
        var domain = new DomId(5);
        script.Server.SetQuotas(domain, StoreQuotas.Default with { Watches = 1 });
        script.Server.ReleaseDomain(domain);
        Assert.Equal(128, script.Server.QuotasOf(domain).Watches);
    }

    [Fact]
    public void Names_AreThoseThatCanBeSet()
    {
        foreach (string name in StoreQuotas.Names)
            Assert.Equal(77, StoreQuotas.Default.With(name, 77)[name]);
        Assert.Throws<ArgumentException>(() => StoreQuotas.Default.With("none", 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => StoreQuotas.Default.With("nodes", -1));
        Assert.Null(StoreQuotas.Default["none"]);
    }
}
