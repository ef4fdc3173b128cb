using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs that do something to a running domain, or set something for it.</summary>
internal sealed class ControlCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildReset();
        yield return BuildRename();
        yield return BuildSysRq();
        yield return BuildTrigger();
        yield return BuildMemory("mem-set", "Ask a guest to have so much memory; its balloon driver follows in its time.", static (client, request) => client.SetMemoryTargetAsync(request));
        yield return BuildMemory("mem-max", "Set the most memory that a domain may have.", static (client, request) => client.SetMaxMemoryAsync(request));
        yield return BuildVcpuSet();
        yield return BuildVcpuPin();
        yield return BuildDumpCore();
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

    private Command BuildReset()
    {
        Argument<string> name = Domain();
        return Build(new Command("reset", "End a domain's life at once and start it again.") { name },
            (client, parsed) => client.ResetDomainAsync(new DomainRequest { Domain = parsed.GetRequiredValue(name) }));
    }

    private Command BuildRename()
    {
        Argument<string> name = Domain(), other = new("NEWNAME") { Description = "Its name from now on." };
        return Build(new Command("rename", "Give a domain another name.") { name, other },
            (client, parsed) => client.RenameDomainAsync(new RenameDomainRequest { Domain = parsed.GetRequiredValue(name), Name = parsed.GetRequiredValue(other) }));
    }

    private Command BuildSysRq()
    {
        Argument<string> name = Domain(), key = new("KEY") { Description = "One letter; h makes Linux list them on its console." };
        return Build(new Command("sysrq", "Send a guest's kernel a magic SysRq key.") { name, key },
            (client, parsed) => client.SendSysRqAsync(new SysRqRequest { Domain = parsed.GetRequiredValue(name), Key = parsed.GetRequiredValue(key) }));
    }

    private Command BuildTrigger()
    {
        Argument<string> name = Domain(), trigger = new("TRIGGER") { Description = "nmi; a paravirtual domain has no other." };
        Argument<int> vcpu = new("VCPU") { Description = "The vCPU's number (0).", DefaultValueFactory = static _ => 0 };
        return Build(new Command("trigger", "Send a trigger to a vCPU of a domain.") { name, trigger, vcpu }, (client, parsed) => client.TriggerDomainAsync(
            new TriggerRequest { Domain = parsed.GetRequiredValue(name), Trigger = parsed.GetRequiredValue(trigger), Vcpu = parsed.GetValue(vcpu) }));
    }

    private Command BuildMemory(string verb, string description, Func<Xend.XendClient, SetMemoryRequest, AsyncUnaryCall<Done>> call)
    {
        Argument<string> name = Domain(), size = new("MEM") { Description = "MiB; or with k, m or g behind it." };
        return Build(new Command(verb, description) { name, size },
            (client, parsed) => call(client, new SetMemoryRequest { Domain = parsed.GetRequiredValue(name), Mebibytes = Mebibytes(parsed.GetRequiredValue(size)) }));
    }

    /// <summary>A size as people write it. <b>Units</b>: MiB.</summary>
    private static int Mebibytes(string text)
    {
        string digits = text.TrimEnd('k', 'K', 'm', 'M', 'g', 'G', 'b', 'B');
        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            throw new UsageException($"'{text}' is no size: it is MiB, or a number with k, m or g behind it.");
        return text[digits.Length..].ToLowerInvariant() switch
        {
            "" or "m" or "mb" => number,
            "k" or "kb" => number / 1024,
            "g" or "gb" when number <= int.MaxValue / 1024 => number * 1024,
            _ => throw new UsageException($"'{text}' is no size: it is MiB, or a number with k, m or g behind it."),
        };
    }

    private Command BuildVcpuSet()
    {
        Argument<string> name = Domain();
        Argument<int> count = new("COUNT") { Description = "vCPUs that are to be up." };
        return Build(new Command("vcpu-set", "Ask a guest to have so many vCPUs up.") { name, count },
            (client, parsed) => client.SetVcpuCountAsync(new SetVcpuCountRequest { Domain = parsed.GetRequiredValue(name), Count = parsed.GetValue(count) }));
    }

    private Command BuildVcpuPin()
    {
        Argument<string> name = Domain(), vcpu = new("VCPU") { Description = "A number, or all." }, cpus = new("CPUS") { Description = "Such as 0-3,^1, or all." };
        return Build(new Command("vcpu-pin", "Say which processors a vCPU may run on.") { name, vcpu, cpus }, (client, parsed) => client.PinVcpuAsync(new PinVcpuRequest
        {
            Domain = parsed.GetRequiredValue(name),
            Vcpu = parsed.GetRequiredValue(vcpu) == "all" ? -1
                : int.TryParse(parsed.GetRequiredValue(vcpu), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
                : throw new UsageException($"'{parsed.GetRequiredValue(vcpu)}' is no vCPU: give its number, or all."),
            Cpus = parsed.GetRequiredValue(cpus),
        }));
    }

    private Command BuildDumpCore()
    {
        Argument<string> name = Domain();
        Argument<string?> file = new("FILE") { Description = "Where it is written; without it xend chooses, and says where.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> live = new("--live", "-L") { Description = "Let the domain run meanwhile." };
        Option<bool> crash = new("--crash", "-C") { Description = "Destroy the domain afterwards." };
        Option<bool> reset = new("--reset", "-R") { Description = "Reset the domain afterwards." };
        Command command = new("dump-core", "Write memory and vCPUs of a domain to an ELF file in Xen's format.") { name, file, live, crash, reset };
        command.SetAction(async (parsed, _) =>
        {
            var request = new DumpCoreRequest
            {
                Domain = parsed.GetRequiredValue(name),
                Path = parsed.GetValue(file) is { } path ? Path.GetFullPath(path) : "",
                Live = parsed.GetValue(live),
                Crash = parsed.GetValue(crash),
                Reset = parsed.GetValue(reset),
            };
            context.Out.WriteLine($"Dumping core of domain: {request.Domain} ...");
            DumpCoreReply reply = await _xend.AskAsync(client => client.DumpCoreAsync(request)).ConfigureAwait(false);
            context.Out.WriteLine($"Dumped core to {reply.Path}");
            return ExitCode.Ok;
        });
        return command;
    }

    private Command Build(Command command, Func<Xend.XendClient, ParseResult, AsyncUnaryCall<Done>> call)
    {
        command.SetAction(async (parsed, _) =>
        {
            await _xend.AskAsync(client => call(client, parsed)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }
}
