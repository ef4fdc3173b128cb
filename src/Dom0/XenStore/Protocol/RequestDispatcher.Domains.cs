using System.Globalization;
using System.Text;
using Xen.Abi;

namespace Xen.XenStore;

// Requests about domains, features, quotas and the store itself.
internal sealed partial class RequestDispatcher
{
    private const string Commands = "check\nhelp\nmemreport\nprint\nquota\nquota-set\n";

    private XenErrno Introduce(in Request request, ReadOnlySpan<byte> payload)
    {
        // The page is written in signed decimal, whatever its number is.
        if (!TryStrings(payload, 3, out string[] strings) || !TryGuest(strings[0], out DomId domain)
            || !long.TryParse(strings[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long page)
            || !uint.TryParse(strings[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint port) || port == 0)
            return XenErrno.EINVAL;
        return Acknowledge(request, server.Host?.Introduce(domain, new Gfn((ulong)page), new EvtchnPort(port)) ?? XenErrno.ENOSYS);
    }

    private XenErrno Release(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!TryString(payload, out string text) || !TryGuest(text, out DomId domain))
            return XenErrno.EINVAL;
        if (!server.IsIntroduced(domain))
            return XenErrno.ENOENT;
        return Acknowledge(request, server.Host?.Release(domain) ?? XenErrno.ENOSYS);
    }

    private static XenErrno GetDomainPath(in Request request, ReadOnlySpan<byte> payload) =>
        TryString(payload, out string text) && TryDomain(text, out DomId domain)
            ? ReplyText(request, StorePath.HomeOf(domain) + '\0')
            : XenErrno.EINVAL;

    private XenErrno IsDomainIntroduced(in Request request, ReadOnlySpan<byte> payload) =>
        TryString(payload, out string text) && TryDomain(text, out DomId domain)
            ? Reply(request, server.IsIntroduced(domain) ? "T\0"u8 : "F\0"u8)
            : XenErrno.EINVAL;

    private XenErrno Resume(in Request request, ReadOnlySpan<byte> payload) =>
        TryString(payload, out string text) && TryGuest(text, out DomId domain)
            ? Acknowledge(request, server.Resume(domain))
            : XenErrno.EINVAL;

    private XenErrno SetTarget(in Request request, ReadOnlySpan<byte> payload) =>
        TryStrings(payload, 2, out string[] strings) && TryDomain(strings[0], out DomId domain) && TryDomain(strings[1], out DomId target)
            ? Acknowledge(request, server.SetTarget(domain, target))
            : XenErrno.EINVAL;

    /// <summary>Without a domain, the features that there are; a guest may ask for its own.</summary>
    private XenErrno GetFeature(in Request request, ReadOnlySpan<byte> payload)
    {
        DomId? of = request.Client.Identity.IsPrivileged ? null : request.Client.Domain.Id;
        if (payload.Length > 0)
        {
            if (!TryString(payload, out string text) || !TryGuest(text, out DomId domain))
                return XenErrno.EINVAL;
            if (of is not null && domain != of)
                return XenErrno.EACCES;
            if (of is null && !server.IsIntroduced(domain))
                return XenErrno.ENOENT;
            of = domain;
        }

        return ReplyText(request, server.FeaturesOf(of).ToString(CultureInfo.InvariantCulture) + '\0');
    }

    private XenErrno SetFeature(in Request request, ReadOnlySpan<byte> payload) =>
        TryStrings(payload, 2, out string[] strings) && TryGuest(strings[0], out DomId domain)
            && uint.TryParse(strings[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint features)
            ? Acknowledge(request, server.SetFeatures(domain, features))
            : XenErrno.EINVAL;

    /// <summary>Nothing asks for the names; a name for everybody's limit; a domain and a name for the domain's.</summary>
    private XenErrno GetQuota(in Request request, ReadOnlySpan<byte> payload)
    {
        if (payload.Length == 0)
            return ReplyText(request, string.Join(' ', StoreQuotas.Names) + '\0');
        StoreQuotas quotas = server.DefaultQuotas;
        if (TryStrings(payload, 2, out string[] strings))
        {
            if (!TryGuest(strings[0], out DomId domain))
                return XenErrno.EINVAL;
            quotas = server.QuotasOf(domain);
        }
        else if (!TryStrings(payload, 1, out strings))
        {
            return XenErrno.EINVAL;
        }

        return quotas[strings[^1]] is { } value ? ReplyText(request, WireText.ToText(value) + '\0') : XenErrno.EINVAL;
    }

    private XenErrno SetQuota(in Request request, ReadOnlySpan<byte> payload)
    {
        if (TryStrings(payload, 3, out string[] strings))
            return TryGuest(strings[0], out DomId domain) ? Acknowledge(request, SetQuota(domain, strings[1], strings[2])) : XenErrno.EINVAL;
        return TryStrings(payload, 2, out strings) ? Acknowledge(request, SetQuota(null, strings[0], strings[1])) : XenErrno.EINVAL;
    }

    private XenErrno SetQuota(DomId? domain, string name, string value)
    {
        if (!StoreQuotas.Names.Contains(name) || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int limit))
            return XenErrno.EINVAL;
        if (domain is { } id)
            server.SetQuotas(id, server.QuotasOf(id).With(name, limit));
        else
            server.DefaultQuotas = server.DefaultQuotas.With(name, limit);
        return XenErrno.OK;
    }

    private XenErrno Control(in Request request, ReadOnlySpan<byte> payload)
    {
        List<string> words = [];
        while (TryStrings(payload, 1, out string[] next))
        {
            words.Add(next[0]);
            payload = payload[(next[0].Length + 1)..];
        }

        return words switch
        {
            ["help"] => ReplyText(request, Commands + '\0'),
            ["check"] => ReplyText(request, server.Describe(out bool isSound) is var text && isSound ? "OK\0" : "counts differ\n" + text + '\0'),
            ["memreport"] => ReplyText(request, server.Describe(out _) + '\0'),
            ["print", string text] => Print(request, text),
            ["quota"] => ReplyText(request, Table(server.DefaultQuotas) + '\0'),
            ["quota", "set", string name, string value] => Acknowledge(request, SetQuota(null, name, value)),
            ["quota-set", string name, string value] => Acknowledge(request, SetQuota(null, name, value)),
            ["quota-set", string id, string name, string value] when TryGuest(id, out DomId domain) =>
                Acknowledge(request, SetQuota(domain, name, value)),
            ["quota", string id] when TryGuest(id, out DomId domain) => ReplyText(request, Table(server.QuotasOf(domain)) + '\0'),
            _ => XenErrno.EINVAL,
        };
    }

    private XenErrno Print(in Request request, string text)
    {
        server.Print(text);
        return Acknowledge(request, XenErrno.OK);
    }

    private static string Table(StoreQuotas quotas)
    {
        var table = new StringBuilder();
        foreach (string name in StoreQuotas.Names)
            table.Append(CultureInfo.InvariantCulture, $"{name,-17}: {quotas[name],8}\n");
        return table.ToString();
    }

    private static bool TryDomain(string text, out DomId domain) => WireText.TryDomain(WireText.ToBytes(text), out domain);

    /// <summary>A domain that is neither Dom0 nor one of the numbers with a meaning of their own.</summary>
    private static bool TryGuest(string text, out DomId domain) => TryDomain(text, out domain) && domain != DomId.Dom0 && !domain.IsReserved;
}
