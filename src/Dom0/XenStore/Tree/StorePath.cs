using System.Buffers;
using System.Globalization;
using Xen.Abi;

namespace Xen.XenStore;

/// <summary>
/// What a path may be. An absolute path starts with '/', has names of letters, digits and "-_@" between single slashes, and none at its
/// end but in "/" itself. Others are relative to the caller's home, /local/domain/N. <b>Source</b>: docs/misc/xenstore.txt.
/// </summary>
internal static class StorePath
{
    public const string Root = "/";

    public const string IntroduceDomain = "@introduceDomain";

    public const string ReleaseDomain = "@releaseDomain";

    private const string Domains = "/local/domain/";

    private static readonly SearchValues<char> Legal =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@");

    public static string HomeOf(DomId domain) => Domains + domain.Value.ToString(CultureInfo.InvariantCulture);

    public static bool IsSpecial(string path) => path.StartsWith('@');

    public static bool IsRelative(string path) => path.Length > 0 && path[0] is not ('/' or '@');

    /// <summary>Makes a client's path absolute and checks it. Special paths are refused.</summary>
    /// <returns>False for EINVAL.</returns>
    public static bool TryResolve(string given, DomId domain, StoreQuotas? quotas, out string path)
    {
        path = given;
        if (IsRelative(given))
        {
            if (given.Length > XenStoreLimits.RelPathMax)
                return false;
            path = HomeOf(domain) + "/" + given;
        }

        return IsValid(path) && (quotas is null || IsWithin(path, quotas));
    }

    public static bool IsValid(ReadOnlySpan<char> path) =>
        path.Length is > 0 and <= XenStoreLimits.AbsPathMax
        && path[0] == '/'
        && (path.Length == 1 || path[^1] != '/')
        && path.IndexOf("//", StringComparison.Ordinal) < 0
        && !path.ContainsAnyExcept(Legal);

    /// <summary>The path one up; "/" is its own parent.</summary>
    public static ReadOnlySpan<char> ParentOf(ReadOnlySpan<char> path)
    {
        int slash = path.LastIndexOf('/');
        return slash <= 0 ? Root : path[..slash];
    }

    /// <summary>Whether a path is another one or lies below it, by the protocol's rule: everything, special paths too, lies below "/".</summary>
    public static bool IsChild(ReadOnlySpan<char> path, ReadOnlySpan<char> of) =>
        of.Length == 1 && of[0] == '/'
        || (path.StartsWith(of, StringComparison.Ordinal) && (path.Length == of.Length || path[of.Length] == '/'));

    private static bool IsWithin(string path, StoreQuotas quotas) =>
        !StoreQuotas.IsOver(quotas.PathLength, path.Length - HomeLength(path))
        && !StoreQuotas.IsOver(quotas.PathDepth, path.AsSpan().Count('/'));

    /// <summary>Length of "/local/domain/N/" at the start of a path, or 0.</summary>
    private static int HomeLength(string path)
    {
        if (!path.StartsWith(Domains, StringComparison.Ordinal))
            return 0;
        int at = Domains.Length;
        while (at < path.Length && char.IsAsciiDigit(path[at]))
            at++;
        return at > Domains.Length && at < path.Length && path[at] == '/' ? at + 1 : 0;
    }
}
