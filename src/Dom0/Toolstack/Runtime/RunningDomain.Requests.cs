using System.Globalization;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>What is asked of its guest, and what it is called.</summary>
internal sealed partial class RunningDomain
{
    public void RequestShutdown(ShutdownRequest request)
    {
        if (request == ShutdownRequest.Suspend)
            throw new ToolstackException("domains cannot be suspended: there is no saving and restoring of domains; 'xm pause' stops one as long as its machine runs.");
        lock (_lock)
        {
            DomainLife life = Listening();
            Write(life, "control/shutdown", request switch
            {
                ShutdownRequest.Reboot => "reboot",
                ShutdownRequest.Halt => "halt",
                _ => "poweroff",
            });
        }
    }

    public void SendSysRq(char key)
    {
        if (key is <= ' ' or > '~')
            throw new ToolstackException("a SysRq key is one letter, digit or sign, as in 'xm sysrq DOMAIN s'; 'h' makes Linux list them on its console.");
        lock (_lock)
            Write(Listening(), "control/sysrq", key.ToString());
    }

    public void Trigger(DomainTrigger trigger, int vcpu = 0)
    {
        if (trigger != DomainTrigger.Nmi)
        {
            throw new ToolstackException(
                $"a paravirtual domain has no {trigger.ToString().ToLowerInvariant()} line: of the triggers it has nmi; 'xm reset' and 'xm shutdown' do what others are for.");
        }

        lock (_lock)
        {
            Domain domain = Listening().Domain;
            if ((uint)vcpu >= (uint)domain.Vcpus.Count || !domain.Vcpus[vcpu].IsUp)
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture, $"domain '{_config.Name}' has no vCPU {vcpu} that is up: 'xm vcpu-list' shows those that it has."));
            domain.Vcpus[vcpu].SendNmi();
        }
    }

    public void Rename(string name)
    {
        lock (_lock)
        {
            DomainLife life = Living();
            string old = _config.Name;
            if (name == old)
                return;
            _host.Names.TakeAnother(old, name);
            XenErrno error = DomainNodes.Rename(_host.Dom0.Store, life.Domain.Id, _config, name);
            if (error != XenErrno.OK)
            {
                _host.Names.Release(name);
                throw new ToolstackException($"'{old}' cannot be renamed: xenstore refuses its nodes with {error}.");
            }

            _host.Names.Release(old);
            Log($"renamed to {name}");
            _config = _config with { Name = name };
            life.Domain.Rename(name);
            ConsoleFactory.RenameLogs(_consoles, _config, _host.Options.ConsoleLogFolder, Log);
        }
    }

    /// <summary>Its life, if there is a guest that can be asked. Under the lock.</summary>
    /// <exception cref="ToolstackException">It has ended, or its guest has shut down.</exception>
    private DomainLife Listening()
    {
        DomainLife life = Living();
        return life.Domain.IsShutDown
            ? throw new ToolstackException($"domain '{_config.Name}' has shut down already: 'xm destroy' ends it{(_isKept ? "" : ", 'xm reset' starts it again")}.")
            : life;
    }

    private void Write(DomainLife life, string node, string value)
    {
        XenErrno error = _host.Dom0.Store.Write($"{DomainNodes.Home(life.Domain.Id)}/{node}", value);
        if (error != XenErrno.OK)
            throw new ToolstackException($"domain '{_config.Name}' cannot be asked: xenstore refuses {node} with {error}.");
    }
}
