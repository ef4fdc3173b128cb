using System.Net;
using System.Security.Cryptography.X509Certificates;
using Xen.Contract;

namespace Xen.Service;

/// <summary>What a client's certificate, which has been verified, lets it do: its subject has <c>OU=operator</c> or <c>OU=reader</c>.</summary>
internal static class CertificateRole
{
    private const string OrganizationalUnit = "2.5.4.11";

    /// <summary>What of a subject is shown. <b>Units</b>: characters.</summary>
    private const int MostSubject = 200;

    public static Caller Decide(X509Certificate2? certificate, EndPoint? from)
    {
        if (certificate is null)
            return new Caller(Role.None, $"the client at {from}", "It has shown no certificate.");
        Role role = RoleOf(certificate.SubjectName);
        string name = $"'{PrintableText.Of(certificate.Subject, MostSubject)}' at {from}";
        return new Caller(role, name, role == Role.None
            ? "Its certificate must have one role, OU=operator or OU=reader: xm cert --client NAME --role ROLE makes such a one."
            : "A certificate with OU=operator is needed: xm cert --client NAME --role operator makes one.");
    }

    /// <summary>The role that a subject names. One that names none, or several, has none.</summary>
    public static Role RoleOf(X500DistinguishedName subject)
    {
        Role[] roles =
        [
            .. subject.EnumerateRelativeDistinguishedNames()
                .Where(static part => !part.HasMultipleElements && part.GetSingleElementType().Value == OrganizationalUnit)
                .Select(static part => part.GetSingleElementValue() switch
                {
                    "operator" => Role.Operator,
                    "reader" => Role.Reader,
                    _ => Role.None,
                })
                .Where(static role => role != Role.None).Distinct(),
        ];
        return roles is [var only] ? only : Role.None;
    }
}
