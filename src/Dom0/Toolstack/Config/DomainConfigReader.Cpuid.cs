using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>The processor that the guest sees.</summary>
public sealed partial class DomainConfigReader
{
    private CpuFeatures HiddenCpuFeatures()
    {
        ConfigFile.Entry? entry = _file.Find("cpuid");
        try
        {
            return entry?.Value switch
            {
                null or StringValue { Value: "" } or ListValue { Items.Count: 0 } => CpuFeatures.None,
                StringValue text => CpuidSyntax.ParseNames(text.Value, CpuFeatures.OfHost),
                ListValue { Items: var items } when items.All(static item => item is StringValue) => items.Aggregate(
                    CpuFeatures.None,
                    static (hidden, item) => hidden.Union(CpuidSyntax.ParseBits(((StringValue)item).Value, CpuFeatures.OfHost))),
                _ => throw entry.Wrong("a string like \"host,avx2=0\", or a list of strings like '1:ecx=xxx0xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
            };
        }
        catch (FormatException fault)
        {
            throw new ToolstackException($"{entry!.Where}: cpuid {fault.Message}.", fault);
        }
    }
}
