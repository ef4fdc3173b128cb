using Xen.Abi;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>Typed nodes, and the sentences for those that are wrong.</summary>
public sealed class XenbusFolderTests : IDisposable
{
    private const string Path = "/local/domain/3/device/vbd/1";

    private readonly World _world = new();
    private readonly XenbusFolder _folder;

    public XenbusFolderTests() => _folder = new XenbusFolder(_world.Domain(0).Store, Path, "frontend");

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(null, "frontend never wrote ring-ref")]
    [InlineData("", "frontend wrote ring-ref='', which is not a number")]
    [InlineData("abc", "frontend wrote ring-ref='abc', which is not a number")]
    [InlineData("-1", "frontend wrote ring-ref='-1', which is not a number")]
    [InlineData("4294967296", "frontend wrote ring-ref='4294967296', which is not a number")]
    [InlineData("0x10", "frontend wrote ring-ref='0x10', which is not a number")]
    [InlineData("\u001b[2Jé", "frontend wrote ring-ref='?[2J?', which is not a number")]
    [InlineData("0123456789012345678901234567890123456789", "frontend wrote ring-ref='01234567890123456789012345678901...', which is not a number")]
    [InlineData("8", null)]
    [InlineData("4294967295", null)]
    public void ReadGrantRef_SaysWhatIsWrong(string? value, string? error)
    {
        Set("ring-ref", value);
        Assert.Equal(error, _folder.ReadGrantRef("ring-ref", out GrantRef reference));
        Assert.Equal(error is null ? uint.Parse(value!, System.Globalization.CultureInfo.InvariantCulture) : 0, reference.Value);
    }

    [Theory]
    [InlineData("0", "frontend wrote event-channel=0, which is not between 1 and 4294967295")]
    [InlineData("7", null)]
    public void ReadPort_ZeroIsNoPort(string value, string? error)
    {
        Set("event-channel", value);
        Assert.Equal(error, _folder.ReadPort("event-channel", out _));
    }

    [Fact]
    public void ReadBool_AbsentIsFalse()
    {
        Assert.Null(_folder.ReadBool("feature-persistent", out bool value));
        Assert.False(value);
        Set("feature-persistent", "1");
        Assert.Null(_folder.ReadBool("feature-persistent", out value));
        Assert.True(value);
        Set("feature-persistent", "yes");
        Assert.Equal("frontend wrote feature-persistent='yes', which is not a number", _folder.ReadBool("feature-persistent", out _));
    }

    [Fact]
    public void ReadUIntOr_ChecksTheRangeOfWhatIsThere()
    {
        Assert.Null(_folder.ReadUIntOr("ring-page-order", 0, 0, 4, out uint order));
        Assert.Equal(0u, order);
        Set("ring-page-order", "5");
        Assert.Equal("frontend wrote ring-page-order=5, which is not between 0 and 4", _folder.ReadUIntOr("ring-page-order", 0, 0, 4, out order));
        Assert.Equal(0u, order);
    }

    [Theory]
    [InlineData("9", "frontend wrote state='9', which is not a state", null)]
    [InlineData("x", "frontend wrote state='x', which is not a state", null)]
    [InlineData("4", null, XenbusState.Connected)]
    [InlineData(null, null, null)]
    public void ReadState_IsAStateOrASentence(string? value, string? error, XenbusState? expected)
    {
        Set("state", value);
        Assert.Equal(error, _folder.ReadState(out XenbusState? state));
        Assert.Equal(expected, state);
    }

    [Fact]
    public void Reads_TheStoreRefuses_NameTheErrno()
    {
        _world.Store.Fail = (operation, _) => operation == "read" ? XenErrno.EACCES : XenErrno.OK;
        Assert.Equal("ring-ref of the frontend cannot be read: EACCES", _folder.ReadGrantRef("ring-ref", out _));
    }

    private void Set(string name, string? value)
    {
        if (value is not null)
            _world.Store.Write(Path + "/" + name, value);
    }
}
