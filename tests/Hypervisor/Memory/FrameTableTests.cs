using Xen.Abi;

namespace Xen.Memory.Tests;

/// <summary>References and types of frames, one by one.</summary>
public sealed class FrameTableTests : IDisposable
{
    private static readonly DomId Owner = new(3);
    private static readonly DomId Other = new(4);
    private static readonly Mfn Frame = new(10);

    private readonly FrameTable _frames = new(64, maxCount: 5);

    public void Dispose() => _frames.Dispose();

    [Fact]
    public void Assign_GivesTheOwnersReference()
    {
        _frames.Assign(Frame, Owner);
        Assert.True(_frames.IsOwnedBy(Frame, Owner));
        Assert.False(_frames.IsOwnedBy(Frame, Other));
        Assert.True(_frames.IsAllocated(Frame));
        Assert.Equal(1u, _frames.References(Frame));
        Assert.Equal(FrameType.None, _frames.Type(Frame));
    }

    [Fact]
    public void Assign_OfAFrameInUse_IsOurFault()
    {
        _frames.Assign(Frame, Owner);
        Assert.Throws<InvalidOperationException>(() => _frames.Assign(Frame, Other));
        Assert.Throws<InvalidOperationException>(() => _frames.AssignShared(Frame, Other));
    }

    [Theory]
    [InlineData(3, 10, true)]
    [InlineData(4, 10, false)]
    [InlineData(3, 11, false)]
    [InlineData(0, 11, false)]
    [InlineData(3, 64, false)]
    [InlineData(3, ulong.MaxValue, false)]
    public void TryGetPage_OnlyOfOnesOwnFrames(ushort domain, ulong frame, bool expected)
    {
        _frames.Assign(Frame, Owner);
        Assert.Equal(expected, _frames.TryGetPage(new Mfn(frame), new DomId(domain)));
        Assert.Equal(expected ? 2u : 1u, _frames.References(Frame));
    }

    [Fact]
    public void TryGetPage_RefusesWhenTheCountIsFull()
    {
        _frames.Assign(Frame, Owner);
        for (int i = 1; i < 5; i++)
            Assert.True(_frames.TryGetPage(Frame, Owner));
        Assert.False(_frames.TryGetPage(Frame, Owner));
        Assert.Equal(5u, _frames.References(Frame));
    }

    [Fact]
    public void PutPage_TellsTheLast_AndBelowZeroIsOurFault()
    {
        _frames.Assign(Frame, Owner);
        Assert.True(_frames.TryGetPage(Frame, Owner));
        Assert.False(_frames.PutPage(Frame));
        Assert.True(_frames.PutPage(Frame));
        Assert.False(_frames.IsInUse(Frame));
        Assert.False(_frames.TryGetPage(Frame, Owner));
        Assert.Throws<InvalidOperationException>(() => _frames.PutPage(Frame));
    }

    [Fact]
    public void TryClearAllocated_WorksOnce()
    {
        _frames.Assign(Frame, Owner);
        Assert.True(_frames.TryClearAllocated(Frame));
        Assert.False(_frames.TryClearAllocated(Frame));
    }

    [Fact]
    public void AcquireType_ExcludesOtherTypesWhileItIsUsed()
    {
        _frames.Assign(Frame, Owner);
        Assert.Equal(TypeAcquisition.First, _frames.AcquireType(Frame, FrameType.Writable, out FrameType before));
        Assert.Equal(FrameType.None, before);
        Assert.Equal(TypeAcquisition.Joined, _frames.AcquireType(Frame, FrameType.Writable, out _));
        Assert.Equal(TypeAcquisition.Refused, _frames.AcquireType(Frame, FrameType.L1Table, out _));
        Assert.False(_frames.ReleaseType(Frame));
        Assert.Equal(TypeAcquisition.Refused, _frames.AcquireType(Frame, FrameType.L1Table, out _));
        Assert.True(_frames.ReleaseType(Frame));
        Assert.Equal(TypeAcquisition.First, _frames.AcquireType(Frame, FrameType.L1Table, out before));
        Assert.Equal(FrameType.Writable, before);
    }

    [Fact]
    public void AcquireType_RefusesWhenTheCountIsFull()
    {
        _frames.Assign(Frame, Owner);
        for (int i = 0; i < 5; i++)
            Assert.NotEqual(TypeAcquisition.Refused, _frames.AcquireType(Frame, FrameType.Writable, out _));
        Assert.Equal(TypeAcquisition.Refused, _frames.AcquireType(Frame, FrameType.Writable, out _));
        Assert.Equal(5u, _frames.TypeUsers(Frame));
    }

    [Fact]
    public void ReleaseType_BelowZero_OrOfAPinsOwnUse_IsOurFault()
    {
        _frames.Assign(Frame, Owner);
        Assert.Throws<InvalidOperationException>(() => _frames.ReleaseType(Frame));
        _frames.AcquireType(Frame, FrameType.L2Table, out _);
        Assert.True(_frames.TrySetPinned(Frame));
        Assert.False(_frames.TrySetPinned(Frame));
        Assert.Throws<InvalidOperationException>(() => _frames.ReleaseType(Frame));
        Assert.True(_frames.TryClearPinned(Frame));
        Assert.False(_frames.TryClearPinned(Frame));
        Assert.True(_frames.ReleaseType(Frame));
    }

    [Fact]
    public void TableLevel_IsThereOnlyWhileTheTableIsValid()
    {
        _frames.Assign(Frame, Owner);
        _frames.AcquireType(Frame, FrameType.L3Table, out _);
        Assert.Equal(0, _frames.TableLevel(Frame));
        _frames.SetValid(Frame);
        Assert.Equal(3, _frames.TableLevel(Frame));
        _frames.ReleaseType(Frame);
        Assert.Equal(0, _frames.TableLevel(Frame));
        Assert.Equal(FrameType.L3Table, _frames.Type(Frame));
    }

    [Fact]
    public void AssignShared_IsWritableForEver()
    {
        _frames.AssignShared(Frame, Owner);
        Assert.True(_frames.IsValidType(Frame, FrameType.Writable));
        Assert.True(_frames.TryGetPage(Frame, Owner));
        Assert.Equal(TypeAcquisition.Refused, _frames.AcquireType(Frame, FrameType.L1Table, out _));
        Assert.False(_frames.TryClearAllocated(Frame));
        Assert.Throws<InvalidOperationException>(() => _frames.Unshare(Frame));
        _frames.PutPage(Frame);
        _frames.Unshare(Frame);
        Assert.False(_frames.IsInUse(Frame));
    }

    [Fact]
    public void Forget_OfAFrameInUse_IsOurFault()
    {
        _frames.Assign(Frame, Owner);
        Assert.Throws<InvalidOperationException>(() => _frames.Forget(Frame));
        _frames.PutPage(Frame);
        _frames.Forget(Frame);
        _frames.Assign(Frame, Other);
        Assert.Equal(Other, _frames.Owner(Frame));
    }

    [Fact]
    public void Counts_SurviveConcurrentUsers()
    {
        using var frames = new FrameTable(64);
        frames.Assign(Frame, Owner);
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                Assert.True(frames.TryGetPage(Frame, Owner));
                Assert.NotEqual(TypeAcquisition.Refused, frames.AcquireType(Frame, FrameType.Writable, out FrameType _));
                frames.ReleaseType(Frame);
                Assert.False(frames.PutPage(Frame));
            }
        });
        Assert.Equal((1u, 0u), (frames.References(Frame), frames.TypeUsers(Frame)));
    }
}
