using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Boot.Tests.Service;

/// <summary>A console of a domain by the contract's call, used as a person would.</summary>
internal sealed class ConsoleCall : IDisposable
{
    private readonly AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> _call;
    private readonly StringBuilder _seen = new();
    private readonly string _domain;

    private ConsoleCall(AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> call, string domain) => (_call, _domain) = (call, domain);

    public static async Task<ConsoleCall> OpenAsync(PrivateXend xend, string domain)
    {
        AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> call = xend.Client.Console();
        await call.RequestStream.WriteAsync(new ConsoleInput { Open = new ConsoleOpen { Domain = domain } });
        return new ConsoleCall(call, domain);
    }

    /// <summary>Waits until the shell prompts, and returns what came before.</summary>
    public Task<string> WaitForShellAsync() => WaitForAsync("domu:~# ");

    /// <summary>Runs a command in the guest's shell and returns what it printed.</summary>
    public async Task<string> RunAsync(string command)
    {
        // The marks are put together by the shell, so that the echo of the line does not match.
        await TypeAsync("echo begin''-mark; " + command + "; echo done''-mark=$?\n");
        await WaitForAsync("begin-mark\r\n");
        string output = await WaitForAsync("done-mark="), status = (await WaitForAsync("\n")).Trim();
        await WaitForShellAsync();
        Assert.True(status == "0", $"'{command}' ended with {status} in {_domain}: {output}");
        return output.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n');
    }

    public Task TypeAsync(string text) => _call.RequestStream.WriteAsync(new ConsoleInput { Data = ByteString.CopyFromUtf8(text) });

    /// <summary>Waits until the text appears behind what was waited for before, and returns what came before it.</summary>
    public async Task<string> WaitForAsync(string text)
    {
        using var patience = new CancellationTokenSource(GuestSession.Patience);
        while (true)
        {
            string seen = _seen.ToString();
            int at = seen.IndexOf(text, StringComparison.Ordinal);
            if (at >= 0)
            {
                _seen.Remove(0, at + text.Length);
                return seen[..at];
            }

            try
            {
                if (!await _call.ResponseStream.MoveNext(patience.Token))
                    throw new GuestException($"{_domain} ended before '{text}' appeared: {seen}");
            }
            catch (RpcException e)
            {
                throw new GuestException($"'{text}' did not appear at {_domain} ({e.Status.Detail}): {seen}", e);
            }

            _seen.Append(_call.ResponseStream.Current.Data.ToString(Encoding.Latin1));
        }
    }

    public void Dispose() => _call.Dispose();
}
