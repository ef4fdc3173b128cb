using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>Two threads that sleep whenever they have nothing to do: a lost wake-up would hang them.</summary>
public sealed class RingStressTests
{
    private const int Total = 300_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TwoThreads_NotifyingOnlyWhenAsked_LoseNoWakeUpAndNoRequest(int pageCount)
    {
        using RingPages pages = new(pageCount, uint.MaxValue - 3);
        using AutoResetEvent toFront = new(false), toBack = new(false);
        FrontRing<LongRequest, LongResponse> front = FrontRing<LongRequest, LongResponse>.Attach(pages);
        BackRing<LongRequest, LongResponse> back = BackRing<LongRequest, LongResponse>.Attach(pages);
        string? trouble = null;
        Thread backend = new(() => trouble = Serve(back, toFront, toBack)) { IsBackground = true };
        backend.Start();
        Random random = new(3);
        int sent = 0, received = 0;
        while (received < Total)
        {
            for (int burst = random.Next(1, 40); burst > 0 && sent < Total && front.TryPut(new((uint)sent, 1, ~(ulong)sent)); burst--)
                sent++;
            if (front.Push())
                toBack.Set();
            while (front.TryTake(out LongResponse response))
            {
                Assert.Equal(((ulong)received, ~(ulong)received), (response.First, response.Last));
                received++;
            }

            bool stuck = sent == Total || front.Free == 0;
            if (stuck && received < Total && !front.FinalCheckForResponses())
                Assert.True(toFront.WaitOne(Patience), $"the frontend sleeps at {received} of {sent}, fault {front.Fault ?? "none"}");
        }

        Assert.True(backend.Join(Patience));
        Assert.Null(trouble ?? front.Fault ?? back.Fault);
    }

    private static string? Serve(BackRing<LongRequest, LongResponse> ring, AutoResetEvent toFront, AutoResetEvent toBack)
    {
        for (int served = 0; served < Total;)
        {
            while (ring.TryTake(out LongRequest request))
            {
                if (request.First != (ulong)served || request.Last != ~(ulong)served)
                    return $"request {request} at {served}";
                ring.PutResponse(new(request.First, request.Last));
                served++;
                if ((served & 7) == 0 && ring.Push())
                    toFront.Set();
            }

            if (ring.Push())
                toFront.Set();
            if (served < Total && !ring.FinalCheckForRequests() && !toBack.WaitOne(Patience))
                return $"the backend sleeps at {served}";
        }

        return null;
    }
}
