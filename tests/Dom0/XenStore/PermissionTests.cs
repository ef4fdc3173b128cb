using Xen.Abi;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Who may do what, as tables.</summary>
public sealed class PermissionTests
{
    [Fact]
    public void NewNodes_HaveTheirParentsPermissionsAndTheirCreatorForOwner() => StoreScript.Check("""
        d0 - MKDIR /a               = OK
        d0 - GETPERMS /a            = n0
        d0 - SETPERMS /a w0 r6      = OK
        d5 - WRITE /a/b x           = OK
        d0 - GETPERMS /a/b          = w5 r6
        d0 - WRITE /a/b/c y         = OK
        d0 - GETPERMS /a/b/c        = w5 r6
        """);

    [Fact]
    public void FirstEntry_IsForAllThatHaveNone() => StoreScript.Check("""
        d0 - WRITE /a x             = OK
        d0 - SETPERMS /a r0 n5 w6 b7 = OK
        d4 - READ /a                = x
        d4 - WRITE /a y             = EACCES
        d5 - READ /a                = EACCES
        d6 - READ /a                = EACCES
        d6 - WRITE /a 6             = OK
        d7 - READ /a                = 6
        d7 - WRITE /a 7             = OK
        d7 - SETPERMS /a b7         = EACCES
        d0 - GETPERMS /a            = r0 n5 w6 b7
        """);

    [Fact]
    public void FirstMatchingEntry_Counts() => StoreScript.Check("""
        d0 - WRITE /a x             = OK
        d0 - SETPERMS /a b0 r5 b5   = OK
        d5 - READ /a                = x
        d5 - WRITE /a y             = EACCES
        """);

    [Fact]
    public void Owners_MayEverythingButGiveItAway() => StoreScript.Check("""
        d0 - WRITE /a x             = OK
        d0 - SETPERMS /a n5         = OK
        d5 - READ /a                = x
        d5 - SETPERMS /a n5 r6      = OK
        d6 - READ /a                = x
        d5 - SETPERMS /a n6         = EPERM
        d5 - SETPERMS /a n0         = EPERM
        d0 - SETPERMS /a n6         = OK
        d5 - READ /a                = EACCES
        """);

    [Fact]
    public void MissingNodes_AreSeenOnlyByWhoMayReadTheParent() => StoreScript.Check("""
        d5 - READ /none             = EACCES
        d5 - LIST /none/deeper      = EACCES
        d5 - WRITE /none x          = EACCES
        d5 - RM /none               = EACCES
        d0 - SETPERMS / r0          = OK
        d5 - READ /none             = ENOENT
        d5 - LIST /none/deeper      = ENOENT
        d5 - WRITE /none x          = EACCES
        d5 - RM /                   = EACCES
        d0 - READ /none             = ENOENT
        """);

    [Fact]
    public void Removal_NeedsWritingTheNodeAlone() => StoreScript.Check("""
        d0 - WRITE /a/b/c x         = OK
        d0 - SETPERMS /a/b n0 w5    = OK
        d5 - RM /a                  = EACCES
        d5 - RM /a/b/c              = EACCES
        d5 - RM /a/b                = OK
        d0 - LIST /a                = ''
        """);

    [Fact]
    public void SpecialWatches_HavePermissionsThatDom0Sets() => StoreScript.Check("""
        d0 - GETPERMS @releaseDomain = n0
        d5 - GETPERMS @releaseDomain = EACCES
        d5 - SETPERMS @releaseDomain r5 = EACCES
        d0 - SETPERMS @releaseDomain n0 r5 = OK
        d5 - GETPERMS @releaseDomain = n0 r5
        d0 - GETPERMS @other        = ENOENT
        d0 - SETPERMS @other n0     = ENOENT
        """);

    [Fact]
    public void Target_GivesAllItsRights()
    {
        using var script = new StoreScript();
        script.Server.IntroduceDomain(new DomId(5), new StorePage(), new StoreEvents());
        script.Server.IntroduceDomain(new DomId(6), new StorePage(), new StoreEvents());
        script.Run("""
            d0 - WRITE /own x           = OK
            d0 - SETPERMS /own n6       = OK
            d0 - WRITE /shared y        = OK
            d0 - SETPERMS /shared n0 r6 = OK
            d5 - READ /own              = EACCES
            d0 - SETTARGET 5 6          = OK
            d5 - READ /own              = x
            d5 - WRITE /own z           = OK
            d5 - READ /shared           = y
            d5 - WRITE /shared z        = EACCES
            d6 - READ /own              = z
            d0 - SETTARGET 5 7          = ENOENT
            """);
        script.Server.ReleaseDomain(new DomId(6));
        script.Run("d5 - READ /own = EACCES");
    }

    [Fact]
    public void ReleasedDomain_LeavesNoRightsForTheNextOfItsNumber()
    {
        using var script = new StoreScript();
        script.Server.IntroduceDomain(new DomId(5), new StorePage(), new StoreEvents());
        script.Run("""
            d0 - WRITE /local/domain/5/x 1 = OK
            d0 - SETPERMS /local/domain/5 n5 r6 = OK
            d0 - WRITE /secret 1        = OK
            d0 - SETPERMS /secret n0 r5 r6 = OK
            d5 - READ /secret           = 1
            d5 - MKDIR y                = OK
            """);
        Assert.Equal(XenErrno.OK, script.Server.ReleaseDomain(new DomId(5)));
        script.Run("""
            d0 - LIST /local/domain/5   = x y
            d0 - GETPERMS /local/domain/5 = n0 r6
            d0 - GETPERMS /local/domain/5/y = n0 r6
            d0 - GETPERMS /secret       = n0 r6
            d5b - READ /secret          = EACCES
            d0 - CONTROL check          = OK
            """);
        Assert.Equal(0, script.Server.Tree.OwnedBy(new DomId(5)));
        Assert.Equal(XenErrno.EINVAL, script.Server.ReleaseDomain(DomId.Dom0));
    }
}
