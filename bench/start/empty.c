/* The least program there is. */
int main(void)
{
	return 0;
}
