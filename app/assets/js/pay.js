// WeChat's own payment sheet, inside WeChat only: the button carries the signed call, the answer proves nothing.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-wechat-pay]');
  if (!button) return;
  const open = () => window.WeixinJSBridge.invoke('getBrandWCPayRequest', JSON.parse(button.dataset.wechatPay), (answer) => {
    // Whatever it says, the server asks the gateway; after a cancel the button simply stays.
    if (answer.err_msg !== 'get_brand_wcpay_request:cancel') document.querySelector('#ask-now')?.click();
  });
  if (window.WeixinJSBridge) open();
  else document.addEventListener('WeixinJSBridgeReady', open, { once: true });
});
