using System.Collections.Frozen;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>Which role each call of the contract asks for. What is not in the table is for operators; a test holds it against the contract.</summary>
internal static class CallAccess
{
    /// <summary>The calls by their names in the contract.</summary>
    public static FrozenDictionary<string, Role> Table { get; } = new Dictionary<string, Role>
    {
        [nameof(Xend.XendBase.GetInfo)] = Role.Reader,
        [nameof(Xend.XendBase.ListDomains)] = Role.Reader,
        [nameof(Xend.XendBase.DescribeDomains)] = Role.Reader,
        [nameof(Xend.XendBase.ListVcpus)] = Role.Reader,
        [nameof(Xend.XendBase.ListBlockDevices)] = Role.Reader,
        [nameof(Xend.XendBase.ListNetworkInterfaces)] = Role.Reader,
        [nameof(Xend.XendBase.WaitDomain)] = Role.Reader,
        [nameof(Xend.XendBase.WatchDomains)] = Role.Reader,
        [nameof(Xend.XendBase.GetStatistics)] = Role.Reader,
        [nameof(Xend.XendBase.WatchStatistics)] = Role.Reader,

        // In part: the calls themselves refuse a reader who clears the log, or types.
        [nameof(Xend.XendBase.ReadLog)] = Role.Reader,
        [nameof(Xend.XendBase.Console)] = Role.Reader,

        [nameof(Xend.XendBase.CreateDomain)] = Role.Operator,
        [nameof(Xend.XendBase.DefineDomain)] = Role.Operator,
        [nameof(Xend.XendBase.StartDomain)] = Role.Operator,
        [nameof(Xend.XendBase.DeleteDomain)] = Role.Operator,
        [nameof(Xend.XendBase.DestroyDomain)] = Role.Operator,
        [nameof(Xend.XendBase.PauseDomain)] = Role.Operator,
        [nameof(Xend.XendBase.UnpauseDomain)] = Role.Operator,
        [nameof(Xend.XendBase.ShutdownDomain)] = Role.Operator,
        [nameof(Xend.XendBase.ResetDomain)] = Role.Operator,
        [nameof(Xend.XendBase.RenameDomain)] = Role.Operator,
        [nameof(Xend.XendBase.SendSysRq)] = Role.Operator,
        [nameof(Xend.XendBase.TriggerDomain)] = Role.Operator,
        [nameof(Xend.XendBase.SetMemoryTarget)] = Role.Operator,
        [nameof(Xend.XendBase.SetMaxMemory)] = Role.Operator,
        [nameof(Xend.XendBase.SetVcpuCount)] = Role.Operator,
        [nameof(Xend.XendBase.PinVcpu)] = Role.Operator,
        [nameof(Xend.XendBase.SetShare)] = Role.Operator,
        [nameof(Xend.XendBase.DumpCore)] = Role.Operator,
        [nameof(Xend.XendBase.SendDebugKeys)] = Role.Operator,
        [nameof(Xend.XendBase.AttachBlockDevice)] = Role.Operator,
        [nameof(Xend.XendBase.DetachBlockDevice)] = Role.Operator,
        [nameof(Xend.XendBase.AttachNetworkInterface)] = Role.Operator,
        [nameof(Xend.XendBase.DetachNetworkInterface)] = Role.Operator,
        [nameof(Xend.XendBase.Stop)] = Role.Operator,
    }.ToFrozenDictionary();

    /// <summary>What a call asks for.</summary>
    /// <param name="path">Its HTTP path, such as <c>/xen.xend.v1.Xend/GetInfo</c>.</param>
    public static Role Needed(string path)
    {
        return NameOf(path) is { } name ? Table[name] : Role.Operator;
    }

    /// <summary>The name of a call that is in the table, or null: anything else is a client's text, for nobody's log.</summary>
    /// <param name="path">Its HTTP path.</param>
    public static string? NameOf(string path)
    {
        const string service = "/xen.xend.v1.Xend/";
        return path.StartsWith(service, StringComparison.Ordinal) && Table.ContainsKey(path[service.Length..]) ? path[service.Length..] : null;
    }
}
