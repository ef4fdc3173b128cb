using System.Text.Json;

namespace Xen.Dom0.Tests.Xm;

/// <summary>xm new, start, delete, and what list shows of managed domains.</summary>
public sealed class ManagedCommandTests
{
    [Fact]
    public async Task New_Start_Shutdown_Delete()
    {
        using XmRun xm = new();
        Assert.Equal((0, "Domain guest is managed; xm start guest starts it\n", ""), await xm.AskAsync("new", xm.Config));
        (int code, string list, string error) = await xm.AskAsync("list");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(["Name                                        ID   Mem VCPUs      State  Time(s)", "guest                                            256     2                 0.0"],
            list.TrimEnd('\n').Split('\n').Where(static line => !line.StartsWith("Domain-0", StringComparison.Ordinal)));
        Assert.Equal((0, "shutoff\n", ""), await xm.AskAsync("domstate", "guest"));

        Assert.Equal((0, "Started domain guest (id=1)\n", ""), await xm.AskAsync("start", "guest"));
        Assert.Equal((0, "running\n", ""), await xm.AskAsync("domstate", "guest"));
        Assert.Equal(1, (await xm.AskAsync("start", "guest")).Code);
        Assert.Equal(1, (await xm.AskAsync("delete", "guest")).Code);
        Assert.Equal(0, (await xm.AskAsync("destroy", "guest")).Code);
        Assert.Equal(0, (await xm.AskAsync("delete", "guest")).Code);
        Assert.Equal((1, "", "xm: there is no managed domain 'guest': xm new makes one, xm list shows them.\n"), await xm.AskAsync("delete", "guest"));
    }

    [Fact]
    public async Task New_ChecksTheConfiguration()
    {
        using XmRun xm = new();
        (int code, _, string error) = await xm.AskAsync("new", xm.Config, "memroy=5");
        Assert.Equal(1, code);
        Assert.Contains("did you mean 'memory'?", error, StringComparison.Ordinal);
        Assert.Contains("(name guest)", (await xm.AskAsync("new", "-n", xm.Config)).Out, StringComparison.Ordinal);
        Assert.DoesNotContain("guest", (await xm.AskAsync("list")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_SelectsByState()
    {
        using XmRun xm = new();
        await xm.AskAsync("new", xm.Config, "name=kept");
        await xm.AskAsync("create", "-p", xm.Config);
        Assert.Equal(["guest"], await NamesAsync(xm, "paused"));
        Assert.Equal(["kept"], await NamesAsync(xm, "halted"));
        Assert.Equal(["Domain-0"], await NamesAsync(xm, "running"));
        Assert.Equal(["Domain-0", "guest", "kept"], await NamesAsync(xm, "all"));
        (int code, _, string error) = await xm.AskAsync("list", "--state=odd");
        Assert.Equal((2, "xm: 'odd' is no state: all, running, paused, halted, shutdown, crashed, dying are.\n"), (code, error));
    }

    [Fact]
    public async Task ListLong_IsSxp()
    {
        using XmRun xm = new();
        await xm.AskAsync("new", xm.Config, "name=kept");
        await xm.AskAsync("create", xm.Config);
        string text = (await xm.AskAsync("list", "-l")).Out;
        Assert.Equal(3, text.Split('\n').Count(static line => line == "(domain"));
        Assert.Equal(text.Count(static c => c == '('), text.Count(static c => c == ')'));
        Assert.Contains("    (domid 1)\n    (name guest)\n    (memory 256)", text, StringComparison.Ordinal);
        Assert.Contains("    (name kept)\n", text, StringComparison.Ordinal);
        string one = (await xm.AskAsync("list", "-l", "kept")).Out;
        Assert.StartsWith("(domain\n    (name kept)\n", one, StringComparison.Ordinal);
        Assert.EndsWith("    (status 0)\n)\n", one, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Count_IsForMany_AndNotForAConsole()
    {
        using XmRun xm = new();
        Assert.Equal((2, "", "xm: -c is for one domain: leave out --count, or go to a console with xm console.\n"), await xm.AskAsync("create", "-c", xm.Config, "--count", "2"));
        Assert.Equal(2, (await xm.AskAsync("create", xm.Config, "--count", "0")).Code);
        Assert.Equal((0, "Domain guest1 is managed; xm start guest1 starts it\nDomain guest2 is managed; xm start guest2 starts it\n", ""),
            await xm.AskAsync("new", xm.Config, "--count", "2"));
        Assert.Equal(["guest1", "guest2"], await NamesAsync(xm, "halted"));
    }

    private static async Task<IEnumerable<string>> NamesAsync(XmRun xm, string state)
    {
        using JsonDocument rows = JsonDocument.Parse((await xm.AskAsync("list", "--json", "--state=" + state)).Out);
        return [.. rows.RootElement.EnumerateArray().Select(static row => row.GetProperty("name").GetString()!)];
    }
}
